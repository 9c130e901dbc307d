//! A client of the public API, as the commands use it that talk to a running server.

use std::time::Duration;

use reqwest::{Method, StatusCode, header::RETRY_AFTER};
use serde_json::Value;
use sitewatch_domain::text::Secret;

/// How often a request is sent again that could not be answered.
const ATTEMPTS: u32 = 8;

/// A signed-in client.
#[derive(Debug, Clone)]
pub(crate) struct ApiClient {
    http: reqwest::Client,
    base: String,
    token: Secret<String>,
}

/// Why a request did not do what it was sent for.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No server answers there.
    #[error(
        "no server answers at {base} ({reason}); start one with `sitewatch-api serve`, or name another with --url"
    )]
    Unreachable {
        /// The server's address.
        base: String,
        /// What the system said.
        reason: String,
    },
    /// The token or the password is not accepted.
    #[error("the server does not accept the token or the password; tokens are good for 15 minutes")]
    Unauthenticated,
    /// The server refuses what was sent.
    #[error("the server refused {request}: {status}, {detail}")]
    Refused {
        /// Method and path.
        request: String,
        /// The status.
        status: StatusCode,
        /// The answer's own words.
        detail: String,
        /// The fields at fault, each with its message.
        faults: Vec<(String, String)>,
    },
    /// The answer is not what the API promises.
    #[error("the answer to {request} is not one of this API")]
    Unintelligible {
        /// Method and path.
        request: String,
    },
}

impl ApiClient {
    /// A client with a token.
    pub(crate) fn new(base: &str, token: Secret<String>) -> Result<Self, ClientError> {
        let base = base.trim_end_matches('/').to_owned();
        let http = reqwest::Client::builder().timeout(Duration::from_mins(1)).build();
        let http =
            http.map_err(|error| ClientError::Unreachable { base: base.clone(), reason: error.to_string() })?;
        Ok(Self { http, base, token })
    }

    /// A client that signs in.
    pub(crate) async fn login(
        base: &str,
        email: &str,
        password: &Secret<String>,
    ) -> Result<Self, ClientError> {
        let client = Self::new(base, Secret::new(String::new()))?;
        let body = serde_json::json!({ "email": email, "password": password.expose() });
        let data = client.send(Method::POST, "/api/v1/auth/login", Some(&body)).await?;
        let token = data.get("access_token").and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Self { token: Secret::new(token), ..client })
    }

    /// The server's address.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The token.
    pub(crate) const fn token(&self) -> &Secret<String> {
        &self.token
    }

    /// `GET`; the answer's `data`.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.send(Method::GET, path, None).await
    }

    /// `POST`; the answer's `data`.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.send(Method::POST, path, Some(body)).await
    }

    /// Sends a request until it is answered with anything but "try again later".
    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, ClientError> {
        let mut pause = Duration::from_millis(200);
        let mut attempt = 1;
        loop {
            let mut request = self.http.request(method.clone(), format!("{}{path}", self.base));
            if !self.token.expose().is_empty() {
                request = request.bearer_auth(self.token.expose());
            }
            if let Some(body) = body {
                request = request.json(body);
            }
            let outcome = request.send().await;
            let again = match &outcome {
                Ok(answer) => {
                    matches!(answer.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
                }
                Err(error) => !error.is_builder(),
            };
            if !again || attempt == ATTEMPTS {
                return self.answer(&format!("{method} {path}"), outcome).await;
            }
            let asked = outcome.as_ref().ok().and_then(|answer| answer.headers().get(RETRY_AFTER));
            let asked = asked.and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
            tokio::time::sleep(asked.map_or(pause, Duration::from_secs)).await;
            pause = pause.saturating_mul(2).min(Duration::from_secs(10));
            attempt += 1;
        }
    }

    async fn answer(
        &self,
        request: &str,
        outcome: Result<reqwest::Response, reqwest::Error>,
    ) -> Result<Value, ClientError> {
        let unreachable = |error: reqwest::Error| ClientError::Unreachable {
            base: self.base.clone(),
            reason: error.without_url().to_string(),
        };
        let answer = outcome.map_err(unreachable)?;
        let status = answer.status();
        let body: Value =
            serde_json::from_str(&answer.text().await.map_err(unreachable)?).unwrap_or_default();
        if status.is_success() {
            let unintelligible = || ClientError::Unintelligible { request: request.to_owned() };
            return body.get("data").cloned().ok_or_else(unintelligible);
        }
        if status == StatusCode::UNAUTHORIZED {
            return Err(ClientError::Unauthenticated);
        }
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let faults = body.get("field_errors").and_then(Value::as_array).cloned().unwrap_or_default();
        let faults: Vec<(String, String)> =
            faults.iter().map(|fault| (text(fault.get("field")), text(fault.get("message")))).collect();
        let mut detail = text(body.get("detail"));
        for (field, message) in faults.iter().take(3) {
            detail = format!("{detail}; {field}: {message}");
        }
        Err(ClientError::Refused { request: request.to_owned(), status, detail, faults })
    }
}
