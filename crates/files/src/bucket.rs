//! A bucket of a store that speaks the language of S3.

use std::{fmt, str::FromStr, time::Duration};

use async_trait::async_trait;
use object_store::{
    ClientOptions, ObjectStoreExt as _, PutPayload, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    path::Path,
};
use sitewatch_domain::{error::BoxError, ports::FileStore, text::Secret};
use url::Url;
use uuid::Uuid;

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(20);
/// How long a store that fails is tried again; after that the job that wanted it is, much later.
const RETRIES: Duration = Duration::from_secs(10);
const USUAL_REGION: &str = "us-east-1";

/// Where a bucket is: `s3://bucket/prefix?region=eu-central-1&endpoint=https://store.example.org`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketUrl {
    bucket: String,
    prefix: Path,
    region: String,
    endpoint: Option<Url>,
}

/// Why a text does not say where a bucket is. Never quotes the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotABucket {
    /// It does not begin with `s3://` and a name.
    #[error("does not begin with s3:// and the name of a bucket")]
    Scheme,
    /// It has a user, a password, a port or a fragment.
    #[error("has more than a bucket, a prefix and parameters")]
    Odd,
    /// A parameter other than `region` and `endpoint`.
    #[error("has a parameter that is not known")]
    Parameter,
    /// The endpoint is no `http://` or `https://` URL.
    #[error("names an endpoint that is not an http(s) URL of a host")]
    Endpoint,
    /// The prefix has empty parts or `..` in it.
    #[error("names a prefix that no object can have")]
    Prefix,
}

impl FromStr for BucketUrl {
    type Err = NotABucket;

    fn from_str(text: &str) -> Result<Self, NotABucket> {
        let url = Url::parse(text).map_err(|_| NotABucket::Scheme)?;
        let bucket = url.host_str().filter(|_| url.scheme() == "s3").ok_or(NotABucket::Scheme)?;
        if !url.username().is_empty()
            || url.password().is_some()
            || url.port().is_some()
            || url.fragment().is_some()
        {
            return Err(NotABucket::Odd);
        }
        let (mut region, mut endpoint) = (USUAL_REGION.to_owned(), None);
        for (name, value) in url.query_pairs() {
            match name.as_ref() {
                "region" if !value.is_empty() => region = value.into_owned(),
                "endpoint" => endpoint = Some(endpoint_of(&value)?),
                _ => return Err(NotABucket::Parameter),
            }
        }
        let prefix = Path::from_url_path(url.path()).map_err(|_| NotABucket::Prefix)?;
        Ok(Self { bucket: bucket.to_owned(), prefix, region, endpoint })
    }
}

fn endpoint_of(text: &str) -> Result<Url, NotABucket> {
    let url = Url::parse(text).map_err(|_| NotABucket::Endpoint)?;
    let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    let is_right = is_plain && url.has_host() && matches!(url.scheme(), "http" | "https");
    if is_right { Ok(url) } else { Err(NotABucket::Endpoint) }
}

/// What requests to a store are signed with.
#[derive(Debug, Clone)]
pub struct BucketKey {
    /// The name of the key.
    pub id: String,
    /// The key.
    pub secret: Secret<String>,
}

/// Keeps files as objects of a bucket. An object is there as a whole or not at all: that is what such stores promise.
#[derive(Clone)]
pub struct BucketStore {
    store: AmazonS3,
    prefix: Path,
}

impl fmt::Debug for BucketStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "objects below {:?}", self.prefix)
    }
}

impl BucketStore {
    /// A store in this bucket. Without a key requests are signed with what the machine or container is given by its
    /// provider.
    ///
    /// # Errors
    /// If the library cannot use these settings. Nothing is asked of the store yet.
    pub fn new(place: &BucketUrl, key: Option<&BucketKey>) -> Result<Self, BoxError> {
        let is_plain = place.endpoint.as_ref().is_some_and(|url| url.scheme() == "http");
        let client = ClientOptions::new()
            .with_timeout(ATTEMPT)
            .with_connect_timeout(Duration::from_secs(5))
            .with_allow_http(is_plain);
        let retry = RetryConfig { max_retries: 3, retry_timeout: RETRIES, ..RetryConfig::default() };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&place.bucket)
            .with_region(&place.region)
            .with_client_options(client)
            .with_retry(retry);
        if let Some(endpoint) = &place.endpoint {
            builder = builder.with_endpoint(endpoint.as_str().trim_end_matches('/'));
        }
        if let Some(key) = key {
            builder = builder.with_access_key_id(&key.id).with_secret_access_key(key.secret.expose());
        }
        Ok(Self { store: builder.build()?, prefix: place.prefix.clone() })
    }

    fn object(&self, id: Uuid) -> Path {
        self.prefix.clone().join(id.to_string())
    }
}

#[async_trait]
impl FileStore for BucketStore {
    async fn put(&self, id: Uuid, bytes: &[u8]) -> Result<(), BoxError> {
        self.store.put(&self.object(id), PutPayload::from(bytes.to_vec())).await?;
        Ok(())
    }

    async fn get(&self, id: Uuid) -> Result<Option<Vec<u8>>, BoxError> {
        let Some(found) = there(self.store.get(&self.object(id)).await)? else { return Ok(None) };
        Ok(there(found.bytes().await)?.map(Vec::from))
    }

    async fn delete(&self, id: Uuid) -> Result<(), BoxError> {
        there(self.store.delete(&self.object(id)).await)?;
        Ok(())
    }
}

/// What was found; `None` for what is not there.
fn there<T>(result: object_store::Result<T>) -> Result<Option<T>, BoxError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
#[path = "bucket_tests.rs"]
mod tests;
