use actix_web::{
    App,
    test::{TestRequest, call_service, init_service, read_body},
    web,
};
use serde_json::{Value, json};

use super::*;

/// A job, as far as answers care.
#[derive(Serialize)]
struct Errand {
    id: u8,
}

impl Addressed for Errand {
    fn path(&self) -> String {
        format!("/api/v1/jobs/{}", self.id)
    }

    fn revision(&self) -> Option<Revision> {
        None
    }
}

#[test]
fn what_is_accepted_says_where_its_job_is_found() {
    actix_web::rt::System::new().block_on(async {
        let accept = || async { Accepted(Errand { id: 7 }) };
        let service = init_service(App::new().route("/run", web::post().to(accept))).await;
        let answer = call_service(&service, TestRequest::post().uri("/run").to_request()).await;
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
        let location = answer.headers().get(header::LOCATION).expect("an address");
        assert_eq!(location, "/api/v1/jobs/7");
        let body: Value = serde_json::from_slice(&read_body(answer).await).expect("JSON");
        assert_eq!(body, json!({ "data": { "id": 7 }, "meta": null, "links": { "self": "/api/v1/jobs/7" } }));
    });
}
