//! A client of the public API, as the commands use it that talk to a running server.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use reqwest::{Method, StatusCode, header::RETRY_AFTER};
use serde_json::Value;
use sitewatch_domain::text::Secret;

/// How often a request is sent again that could not be answered.
const ATTEMPTS: u32 = 8;
/// How long a server may take to show that it is there at all.
const FIRST_CONTACT: Duration = Duration::from_secs(5);
/// How long a request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);
/// The longest pause before a request is sent again, whatever the server asks for.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// A signed-in client.
#[derive(Debug)]
pub(crate) struct ApiClient {
    http: reqwest::Client,
    base: String,
    token: Mutex<Secret<String>>,
    /// With these it signs in again once its token is not good any more.
    credentials: Option<Credentials>,
    /// Whether the server has ever answered.
    reached: AtomicBool,
}

/// Who signs in.
#[derive(Debug)]
struct Credentials {
    email: String,
    password: Secret<String>,
}

/// Why a request did not do what it was sent for.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// What was given is no address of a server.
    #[error("{0} is not the address of a server; write it with its scheme, like http://127.0.0.1:8080")]
    Address(String),
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
        if !base.starts_with("http://") && !base.starts_with("https://") {
            return Err(ClientError::Address(base));
        }
        let http = reqwest::Client::builder().timeout(REQUEST_TIMEOUT).connect_timeout(FIRST_CONTACT);
        let http = http.build().map_err(|error| unreachable(&base, &error))?;
        let (token, reached) = (Mutex::new(token), AtomicBool::new(false));
        Ok(Self { http, base, token, credentials: None, reached })
    }

    /// A client that signs in, now and whenever its token is not good any more.
    pub(crate) async fn login(
        base: &str,
        email: &str,
        password: &Secret<String>,
    ) -> Result<Self, ClientError> {
        let mut client = Self::new(base, Secret::new(String::new()))?;
        let credentials = Credentials { email: email.to_owned(), password: password.clone() };
        client.sign_in(&credentials).await?;
        client.credentials = Some(credentials);
        Ok(client)
    }

    /// Asks once, before anything is retried, whether there is a server: a mistyped address is told at once.
    async fn greet(&self) -> Result<(), ClientError> {
        if !self.reached.load(Ordering::Relaxed) {
            let greeting = self.http.get(format!("{}/health/live", self.base)).timeout(FIRST_CONTACT);
            greeting.send().await.map_err(|error| unreachable(&self.base, &error))?;
            self.reached.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn sign_in(&self, credentials: &Credentials) -> Result<(), ClientError> {
        let path = "/api/v1/auth/login";
        let body =
            serde_json::json!({ "email": credentials.email, "password": credentials.password.expose() });
        let nobody = Secret::new(String::new());
        let data = self.send_as(&nobody, &Method::POST, path, Some(&body)).await?;
        let token = data.get("access_token").and_then(Value::as_str);
        let token = token.ok_or_else(|| ClientError::Unintelligible { request: format!("POST {path}") })?;
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Secret::new(token.to_owned());
        Ok(())
    }

    /// The server's address.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The token as it is now.
    pub(crate) fn token(&self) -> Secret<String> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// `GET`; the answer's `data`.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.send(Method::GET, path, None).await
    }

    /// `POST`; the answer's `data`.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.send(Method::POST, path, Some(body)).await
    }

    /// Sends a request with the token; where that is not good any more, signs in again and sends it once more.
    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, ClientError> {
        let outcome = self.send_as(&self.token(), &method, path, body).await;
        match (&outcome, &self.credentials) {
            (Err(ClientError::Unauthenticated), Some(credentials)) => {
                self.sign_in(credentials).await?;
                self.send_as(&self.token(), &method, path, body).await
            }
            _ => outcome,
        }
    }

    /// Sends a request until it is answered with anything but "try again later".
    async fn send_as(
        &self,
        token: &Secret<String>,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, ClientError> {
        self.greet().await?;
        let mut pause = Duration::from_millis(200);
        let mut attempt = 1;
        loop {
            let mut request = self.http.request(method.clone(), format!("{}{path}", self.base));
            if !token.expose().is_empty() {
                request = request.bearer_auth(token.expose());
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
            tokio::time::sleep(asked.map_or(pause, Duration::from_secs).min(LONGEST_PAUSE)).await;
            pause = pause.saturating_mul(2).min(Duration::from_secs(10));
            attempt += 1;
        }
    }

    async fn answer(
        &self,
        request: &str,
        outcome: Result<reqwest::Response, reqwest::Error>,
    ) -> Result<Value, ClientError> {
        let unreachable = |error: reqwest::Error| unreachable(&self.base, &error);
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

/// The innermost source says what happened; the outer ones only that a request failed.
fn unreachable(base: &str, error: &reqwest::Error) -> ClientError {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let reason = if error.is_timeout() { "it took too long".to_owned() } else { innermost.to_string() };
    ClientError::Unreachable { base: base.to_owned(), reason }
}
