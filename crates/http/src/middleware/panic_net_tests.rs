use actix_web::{
    App, HttpResponse,
    http::StatusCode,
    middleware::from_fn,
    test::{TestRequest, call_service, init_service, read_body},
};
use serde_json::Value;

use crate::{middleware::request_scope, routes::Address};

async fn fall() -> HttpResponse {
    panic!("canary: {}", "what only the log may know");
}

async fn stand() -> HttpResponse {
    HttpResponse::NoContent().finish()
}

#[test]
fn a_panic_is_answered_with_the_error_body_and_nothing_of_its_own() {
    actix_web::rt::System::new().block_on(fall_and_stand());
}

async fn fall_and_stand() {
    let app = App::new()
        .service(Address::at("/fall").get(fall).post(fall).into_resource())
        .service(Address::at("/stand").get(stand).into_resource())
        .wrap(from_fn(request_scope));
    let service = init_service(app).await;
    for request in [TestRequest::get(), TestRequest::post()] {
        let request = request.uri("/fall").insert_header(("x-request-id", "mine-7")).to_request();
        let answer = call_service(&service, request).await;
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        assert_eq!(header("x-request-id"), Some("mine-7"));
        assert_eq!(header("content-type"), Some("application/json"));
        let bytes = read_body(answer).await;
        let text = String::from_utf8(bytes.to_vec()).expect("text");
        assert!(!text.contains("canary") && !text.contains("panic") && !text.contains(".rs"), "{text}");
        let body: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!((&body["type"], &body["status_code"]), (&Value::from("internal"), &Value::from(500)));
        assert_eq!(
            (&body["request_id"], &body["field_errors"]),
            (&Value::from("mine-7"), &Value::Array(Vec::new()))
        );
        assert_eq!(body.as_object().expect("an object").len(), 5, "{text}");
    }
    let answer = call_service(&service, TestRequest::get().uri("/stand").to_request()).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT, "the next request is served");
}
