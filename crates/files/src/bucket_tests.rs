use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};

use super::*;

#[test]
fn a_bucket_is_read_from_its_url() {
    let plain: BucketUrl = "s3://reports".parse().expect("a bucket");
    assert_eq!(
        (plain.bucket.as_str(), plain.prefix.as_ref(), plain.region.as_str()),
        ("reports", "", "us-east-1")
    );
    let whole: BucketUrl =
        "s3://b-1/a/b?region=eu-central-1&endpoint=https://store.example.org:9000".parse().expect("a bucket");
    assert_eq!((whole.prefix.as_ref(), whole.region.as_str()), ("a/b", "eu-central-1"));
    assert_eq!(whole.endpoint.expect("an endpoint").as_str(), "https://store.example.org:9000/");
    for (text, fault) in [
        ("reports", NotABucket::Scheme),
        ("https://reports", NotABucket::Scheme),
        ("s3:///a", NotABucket::Scheme),
        ("s3://key:secret@reports", NotABucket::Odd),
        ("s3://reports?key=1", NotABucket::Parameter),
        ("s3://reports?endpoint=store", NotABucket::Endpoint),
        ("s3://reports?endpoint=https://a:b@store", NotABucket::Endpoint),
        ("s3://reports/a//b", NotABucket::Prefix),
    ] {
        assert_eq!(text.parse::<BucketUrl>(), Err(fault), "{text}");
    }
}

/// A store with one bucket, on a port of its own, that checks signatures.
async fn serve(folder: &std::path::Path) -> String {
    std::fs::create_dir(folder.join("reports")).expect("a bucket");
    let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder).expect("a file system"));
    service.set_auth(SimpleAuth::from_single("id", "the secret"));
    let service = service.build();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let _ended =
                    Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
            });
        }
    });
    format!("s3://reports/of/sitewatch?endpoint=http://{address}")
}

fn store(url: &str, secret: &str) -> BucketStore {
    let key = BucketKey { id: "id".into(), secret: Secret::new(secret.into()) };
    BucketStore::new(&url.parse().expect("a bucket"), Some(&key)).expect("a store")
}

#[tokio::test]
async fn what_is_kept_is_there_until_it_is_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(&serve(folder.path()).await, "the secret");
    let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    assert_eq!(store.get(one).await.expect("an answer"), None);
    store.put(one, b"one").await.expect("kept");
    store.put(other, b"").await.expect("kept");
    store.put(one, b"again").await.expect("kept");
    assert_eq!(store.get(one).await.expect("an answer").as_deref(), Some(b"again".as_slice()));
    assert_eq!(store.get(other).await.expect("an answer").as_deref(), Some(b"".as_slice()));
    assert!(folder.path().join("reports/of/sitewatch").join(one.to_string()).is_file(), "below the prefix");
    for _ in 0..2 {
        store.delete(one).await.expect("removed");
    }
    assert_eq!(store.get(one).await.expect("an answer"), None);
}

#[tokio::test]
async fn a_store_that_is_away_or_refuses_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = serve(folder.path()).await;
    assert!(store(&url, "another secret").put(Uuid::from_u128(1), b"x").await.is_err());
    let away = store("s3://reports?endpoint=http://127.0.0.1:1", "the secret");
    assert!(away.get(Uuid::from_u128(1)).await.is_err());
}
