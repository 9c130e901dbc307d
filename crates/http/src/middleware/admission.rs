//! What is decided before a route is looked for: whether the request is served at all, and which version of the API it means.

use actix_web::{
    Error, HttpResponse, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Uri,
        header::{self, HeaderValue},
        uri::PathAndQuery,
    },
    middleware::Next,
    web,
};

use crate::{error::ApiError, transport::Transport, versions};

/// Lets a request in, or answers it.
pub(crate) async fn admission<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let chosen = match refusal(&request) {
        Some(answer) => return Ok(request.into_response(answer)),
        None => choose_version(&mut request),
    };
    let is_chosen = match chosen {
        Ok(is_chosen) => is_chosen,
        Err(error) => return Ok(request.into_response(error.error_response())),
    };
    let mut answer = next.call(request).await?.map_into_boxed_body();
    if is_chosen {
        // The same address means something else with another header.
        answer.headers_mut().append(header::VARY, HeaderValue::from_static("x-api-version"));
    }
    Ok(answer)
}

fn refusal(request: &ServiceRequest) -> Option<HttpResponse> {
    request.app_data::<web::Data<Transport>>()?.turned_away(request)
}

/// Gives an address without a version that of the version which is meant; whether it did.
fn choose_version(request: &mut ServiceRequest) -> Result<bool, ApiError> {
    let target = request.uri().path_and_query().map(PathAndQuery::as_str).unwrap_or_default();
    let Some(versioned) = versions::versioned(target, request.headers())? else { return Ok(false) };
    let unreadable = || ApiError::bad_request("the address cannot be read");
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = Some(versioned.parse().map_err(|_| unreadable())?);
    let uri = Uri::from_parts(parts).map_err(|_| unreadable())?;
    request.match_info_mut().get_mut().update(&uri);
    request.head_mut().uri = uri;
    Ok(true)
}
