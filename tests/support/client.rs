//! HTTP verbs as a user's actions: a client that signs in, sends JSON and looks at answers.

use std::time::Duration;

use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};

/// A client of one server, signed in as one user or not at all.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub text: String,
    /// The body as it came.
    pub bytes: Vec<u8>,
}

impl Client {
    /// A client without a token.
    pub fn anonymous(base: impl Into<String>) -> Self {
        // Connections that the server is about to close, which it does after five seconds, are not used again.
        let builder = reqwest::Client::builder().no_proxy().pool_idle_timeout(Duration::from_secs(2));
        let http = builder.build().expect("an HTTP client");
        Self { http, base: base.into(), token: None }
    }

    /// The same client with a token.
    pub fn with_token(&self, token: impl Into<String>) -> Self {
        Self { token: Some(token.into()), ..self.clone() }
    }

    /// The token.
    pub fn token(&self) -> &str {
        self.token.as_deref().expect("signed in")
    }

    /// The server's address.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Signs in; panics unless it works.
    pub async fn login(&self, email: &str, password: &str) -> Self {
        let answer = self.post("/api/v1/auth/login", json!({ "email": email, "password": password })).await;
        let token = answer.expect(200).data()["access_token"].as_str().expect("a token").to_owned();
        self.with_token(token)
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, &[]).await
    }

    /// `GET`; the error's text if there is no answer.
    ///
    /// # Errors
    /// If the connection fails.
    pub async fn try_get(&self, path: &str) -> Result<Answer, String> {
        self.try_raw(Method::GET, path, Vec::new(), &[]).await
    }

    /// `POST`; the error's text if there is no answer.
    ///
    /// # Errors
    /// If the connection fails.
    pub async fn try_post(&self, path: &str, body: Value) -> Result<Answer, String> {
        let body = serde_json::to_vec(&body).expect("JSON");
        self.try_raw(Method::POST, path, body, &[("content-type", "application/json")]).await
    }

    /// `POST`.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body), &[]).await
    }

    /// `POST` without a body.
    pub async fn act(&self, path: &str) -> Answer {
        self.send(Method::POST, path, None, &[]).await
    }

    /// `PUT`.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, Some(body), &[]).await
    }

    /// `PATCH`.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, Some(body), &[]).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None, &[]).await
    }

    /// Any method, with a JSON body and further headers.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let bytes = body.map(|body| serde_json::to_vec(&body).expect("JSON"));
        let mut all = headers.to_vec();
        if bytes.is_some() && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            all.push(("content-type", "application/json"));
        }
        self.raw(method, path, bytes.unwrap_or_default(), &all).await
    }

    /// Any method and any bytes.
    pub async fn raw(&self, method: Method, path: &str, body: Vec<u8>, headers: &[(&str, &str)]) -> Answer {
        self.try_raw(method, path, body, headers).await.expect("an answer")
    }

    async fn try_raw(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
        headers: &[(&str, &str)],
    ) -> Result<Answer, String> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_empty() {
            request = request.body(body);
        }
        let told = |error: reqwest::Error| format!("{error:?}");
        let answer = request.send().await.map_err(told)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let bytes = answer.bytes().await.map_err(told)?.to_vec();
        Ok(Answer { status, headers, text: String::from_utf8_lossy(&bytes).into_owned(), bytes })
    }
}

impl Answer {
    /// Panics, showing the body, unless the status is this one.
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text))
    }

    /// `data` of the envelope.
    pub fn data(&self) -> Value {
        self.json()["data"].clone()
    }

    /// The id of the object in the envelope.
    pub fn id(&self) -> String {
        self.data()["id"].as_str().unwrap_or_else(|| panic!("no id: {}", self.text)).to_owned()
    }

    /// A header as text; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The names in `field_errors`, in their order; also checks that this is the one error body.
    pub fn faults(&self) -> Vec<String> {
        let body = self.error_body();
        let fields = body["field_errors"].as_array().expect("a list").iter();
        fields.map(|fault| fault["field"].as_str().expect("a name").to_owned()).collect()
    }

    /// `type` of the one error body, which is checked for its form.
    pub fn error_type(&self) -> String {
        self.error_body()["type"].as_str().expect("a word").to_owned()
    }

    fn error_body(&self) -> Value {
        let body = self.json();
        let object = body.as_object().expect("an object");
        let mut keys: Vec<&str> = object.keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["detail", "field_errors", "request_id", "status_code", "type"], "{}", self.text);
        assert_eq!(body["status_code"], self.status.as_u16());
        assert_eq!(body["request_id"], self.header("x-request-id"));
        body
    }
}
