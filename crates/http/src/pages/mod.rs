//! Pages for people: the reader of the OpenAPI document and what errors mean. They load nothing from another host, and run no
//! script that does not come from this server.

use actix_web::{
    HttpResponse,
    http::header::{self, HeaderValue},
    web,
};

use crate::{error::ApiError, problems, routes::Address};

/// What our own pages may do. Their script makes no markup out of text, which browsers that know trusted types enforce.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
);

const READER: &str = include_str!("reader.html");
const SCRIPT: &str = include_str!("reader.js");
const SHEET: &str = include_str!("pages.css");

/// What people open in a browser, as opposed to what programs ask for.
pub(crate) fn is_page(path: &str) -> bool {
    let below =
        |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    path == "/" || ["/docs", "/redoc", "/problems", "/pages"].into_iter().any(below)
}

pub(crate) fn configure(config: &mut web::ServiceConfig) {
    config.service(Address::at("/redoc").get(reader).into_resource());
    config.service(Address::at("/problems").get(problems::list).into_resource());
    config.service(Address::at("/problems/{type}").get(problems::one).into_resource());
    config.service(Address::at("/pages/{file}").get(asset).into_resource());
}

async fn reader() -> HttpResponse {
    page(READER.to_owned())
}

/// What the pages load.
async fn asset(file: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let (kind, text) = match file.as_str() {
        "reader.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "pages.css" => ("text/css; charset=utf-8", SHEET),
        _ => return Err(ApiError::unknown_route()),
    };
    Ok(kept().content_type(kind).body(text))
}

/// A page of ours around this.
pub(crate) fn html(title: &str, body: &str) -> HttpResponse {
    page(format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{} · Sitewatch</title>\n<link rel=\"icon\" href=\"data:,\">\n<link rel=\"stylesheet\" href=\"/pages/pages.css\">\n</head>\n\
         <body>\n<main class=\"text\">\n{body}\n</main>\n</body>\n</html>\n",
        escaped(title)
    ))
}

/// Text as it stands in markup.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn page(text: String) -> HttpResponse {
    kept()
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .content_type("text/html; charset=utf-8")
        .body(text)
}

fn kept() -> actix_web::HttpResponseBuilder {
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_for_people() {
        for path in [
            "/",
            "/docs",
            "/docs/",
            "/docs/swagger-ui.css",
            "/redoc",
            "/problems/not_found",
            "/pages/pages.css",
        ] {
            assert!(is_page(path), "{path}");
        }
        for path in ["/api/v1/sites", "/docsx", "/health", "/openapi.json", "", "*"] {
            assert!(!is_page(path), "{path}");
        }
    }

    #[test]
    fn text_stays_text() {
        assert_eq!(escaped("<a href=\"x\">&</a>"), "&lt;a href=&quot;x&quot;&gt;&amp;&lt;/a&gt;");
    }
}
