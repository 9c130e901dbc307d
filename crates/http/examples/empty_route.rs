//! A server with one route that does nothing, which the benchmarks take for what the machine can do at most.
//!
//! `empty_route PORT`

#![forbid(unsafe_code)]

use actix_web::{App, HttpResponse, HttpServer, web};

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(8081_u16);
    let app = || App::new().route("/", web::get().to(async || HttpResponse::Ok().finish()));
    HttpServer::new(app).bind(("127.0.0.1", port))?.run().await
}
