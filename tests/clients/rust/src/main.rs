//! The ten calls through the client that progenitor makes of the document.

#[allow(warnings, clippy::all)]
mod client {
    include!(concat!(env!("OUT_DIR"), "/client.rs"));
}

use chrono::{TimeZone as _, Utc};
use client::{Client, Error, types};
use reqwest::header::{AUTHORIZATION, HeaderMap};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [base, email, password] = &words[..] else { panic!("base, e-mail address, password") };

    // 1: sign in
    let credentials = types::LoginBody::builder().email(email).password(password);
    let signed_in = Client::new(base).login().body(credentials).send().await.expect("200");
    let token = format!("Bearer {}", signed_in.data.access_token);
    let headers = HeaderMap::from_iter([(AUTHORIZATION, token.parse().expect("a header"))]);
    let http = reqwest::Client::builder().default_headers(headers).build().expect("a client");
    let client = Client::new_with_client(base, http);

    // 2: list
    let organizations = client.list_organizations().per_page(5).sort("-created_at").send().await.expect("200");
    let organization = organizations.data[0].id;
    assert!(organizations.links.next.is_none());

    // 3: create
    let name = "Made by Rust";
    let body = types::CreateSiteBody::builder().name(name).organization_id(organization).timezone("Europe/Paris".to_owned());
    let made = client.create_site().body(body).send().await.expect("201");
    assert_eq!(made.status(), 201);
    let site = made.data.id;

    // 4: get
    let got = client.get_site().site_id(site).send().await.expect("200");
    assert_eq!(got.data.name, name);

    // 5: update with If-Match
    let tag = got.headers()["etag"].to_str().expect("text").to_owned();
    let change = types::UpdateSiteBody::builder().description(Some("changed".parse().expect("a text")));
    let update = async || client.update_site().site_id(site).if_match(&tag).body(change.clone()).send().await;
    assert_eq!(update().await.expect("200").data.description.as_deref(), Some("changed"));
    assert_eq!(refused(update().await).0, 412);

    // 6: the body of a 422
    let body = types::CreateOrganizationBody::builder().name("x").timezone("nowhere".to_owned());
    let (status, told) = refused(client.create_organization().body(body).send().await);
    assert_eq!((status, told.field_errors[0].field.as_str()), (422, "timezone"));

    // 7: ingest
    let modules = client.list_modules().organization_id(organization).send().await.expect("200");
    let module = modules.data[0].id;
    let at = |hour| Utc.with_ymd_and_hms(2026, 4, 1, hour, 0, 0).single().expect("a moment");
    let rows = (0..3).map(|hour| types::IngestRow {
        module: module.to_string(),
        metric: "power".to_owned(),
        at: at(hour),
        value: f64::from(hour),
    });
    let body = types::IngestBody::builder().readings(rows.collect::<Vec<_>>());
    assert_eq!(client.ingest_readings().body(body).send().await.expect("200").data.accepted, 3);

    // 8: query
    let question = types::QueryBody::builder()
        .modules(vec![module])
        .metrics(vec!["power".to_owned()])
        .from(at(0))
        .to(at(23))
        .interval("P1D".to_owned())
        .timezone("UTC".to_owned());
    assert_eq!(client.query_telemetry().body(question).send().await.expect("200").data.series.len(), 1);

    // 9: archive
    assert!(!client.archive_site().site_id(site).send().await.expect("200").data.is_active);

    // 10: 404
    let (status, told) = refused(client.get_site().site_id(site).send().await);
    assert_eq!((status, told.type_.to_string().as_str()), (404, "not_found"));
    println!("Rust: ten calls");
}

/// Status and body of a failure.
fn refused<T: std::fmt::Debug>(answer: Result<T, Error<types::Error>>) -> (u16, types::Error) {
    match answer {
        Err(Error::ErrorResponse(told)) => (told.status().as_u16(), told.into_inner()),
        other => panic!("{other:?}"),
    }
}
