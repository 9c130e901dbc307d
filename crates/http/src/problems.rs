//! The pages about errors: one for each type, and the list of them.

use std::fmt::Write as _;

use actix_web::{HttpResponse, web};

use crate::{
    error::{ApiError, ErrorType},
    pages::{escaped, html},
};

/// The list.
pub(crate) async fn list() -> HttpResponse {
    let mut rows = String::new();
    for kind in ErrorType::ALL {
        let meaning = kind.meaning();
        let _ = writeln!(
            rows,
            "<tr><td>{}</td><td><a href=\"{}\"><code>{}</code></a></td><td>{}</td></tr>",
            meaning.statuses,
            kind.page(),
            kind.word(),
            escaped(meaning.title)
        );
    }
    let body = format!(
        "<h1>Errors</h1>\n<p>Every answer that is no success has one body: <code>detail</code> for people, <code>type</code> for programs, \
         <code>field_errors</code> for faults of the input, <code>request_id</code> for the operator. With \
         <code>Accept: application/problem+json</code> it has the form of RFC 9457, and <code>type</code> is the address of one of these pages.</p>\n\
         <table>\n<thead><tr><th scope=\"col\">Status</th><th scope=\"col\">Type</th><th scope=\"col\">Meaning</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>"
    );
    html("Errors", &body)
}

/// The page of one type.
///
/// # Errors
/// 404 for what is no type.
pub(crate) async fn one(word: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let kind = ErrorType::ALL.into_iter().find(|kind| kind.word() == word.as_str());
    let kind = kind.ok_or_else(ApiError::unknown_route)?;
    let meaning = kind.meaning();
    let body = format!(
        "<h1>{}</h1>\n<p>Type <code>{}</code>, status {}.</p>\n<h2>When</h2>\n<p>{}</p>\n<h2>What to do</h2>\n<p>{}</p>\n\
         <p><a href=\"/problems\">All errors</a></p>",
        escaped(meaning.title),
        kind.word(),
        meaning.statuses,
        escaped(meaning.when),
        escaped(meaning.remedy)
    );
    Ok(html(meaning.title, &body))
}
