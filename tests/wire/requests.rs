//! Requests as a client would send them: what mutations start from.

use sitewatch_tests::random::Random;

/// A request, piece by piece.
#[derive(Clone)]
pub struct Request {
    pub method: Vec<u8>,
    pub target: Vec<u8>,
    pub version: Vec<u8>,
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub body: Vec<u8>,
    pub line_end: &'static [u8],
}

impl Request {
    fn new(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Self {
        let mut request = Self {
            method: method.into(),
            target: target.into(),
            version: b"HTTP/1.1".to_vec(),
            headers: vec![(b"Host".to_vec(), b"localhost".to_vec())],
            body: body.into(),
            line_end: b"\r\n",
        };
        for (name, value) in headers {
            request.push(name, value);
        }
        if !body.is_empty() {
            request.push("Content-Length", body.len().to_string());
        }
        request
    }

    /// Adds a header.
    pub fn push(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.headers.push((name.as_bytes().to_vec(), value.as_ref().to_vec()));
    }

    /// Takes all headers of a name away.
    pub fn remove(&mut self, name: &str) {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name.as_bytes()));
    }

    /// Makes the body a chunked one, with these words after the size of each chunk.
    pub fn chunk(&mut self, extension: &str) {
        self.remove("Content-Length");
        self.push("Transfer-Encoding", "chunked");
        let mut chunked = Vec::new();
        for chunk in self.body.chunks(7) {
            chunked.extend_from_slice(format!("{:x}{extension}\r\n", chunk.len()).as_bytes());
            chunked.extend_from_slice(chunk);
            chunked.extend_from_slice(b"\r\n");
        }
        chunked.extend_from_slice(b"0\r\n\r\n");
        self.body = chunked;
    }

    /// As it goes over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = [&self.method[..], b" ", &self.target, b" ", &self.version, self.line_end].concat();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name);
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(self.line_end);
        }
        bytes.extend_from_slice(self.line_end);
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// Good requests of many kinds.
pub struct Corpus {
    requests: Vec<Request>,
}

impl Corpus {
    pub fn new(token: &str, organization: &str, module: &str) -> Self {
        let bearer = format!("Bearer {token}");
        let signed_in = [("Authorization", bearer.as_str())];
        let json = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        let typed = |kind: &'static str| [("Authorization", bearer.as_str()), ("Content-Type", kind)];
        let readings = format!("/api/v1/modules/{module}/readings");
        let row = r#"{"module":"M","metric":"power","at":"2026-01-01T00:00:00Z","value":1}"#;
        let path = format!("/api/v1/organizations/{organization}");
        let matching = [json[0], json[1], ("If-Match", "\"1-0011223344556677\"")];
        let keyed = [json[0], json[1], ("Idempotency-Key", "one and the same")];
        let preflight = [("Origin", "https://example.org"), ("Access-Control-Request-Method", "PUT")];
        let requests = vec![
            Request::new("GET", "/health", &[], ""),
            Request::new("GET", "/health/ready", &[], ""),
            Request::new("GET", "/openapi.json", &[("Accept-Encoding", "gzip, br, zstd")], ""),
            Request::new("GET", "/docs/", &[], ""),
            Request::new("GET", "/problems/not_found", &[("Accept", "application/problem+json")], ""),
            Request::new("GET", "/api/v1/sites?page=1&per_page=20&sort=-created_at", &signed_in, ""),
            Request::new("HEAD", "/api/v1/modules?include=site", &signed_in, ""),
            Request::new("GET", &format!("{readings}?limit=10"), &signed_in, ""),
            Request::new("GET", &path, &[json[0], ("If-None-Match", "\"1-00\", *")], ""),
            Request::new("GET", "/api/users", &[json[0], ("X-API-Version", "1")], ""),
            Request::new("GET", "/api/v1/audit?cursor=AAAA", &signed_in, ""),
            Request::new("OPTIONS", "/api/v1/sites", &preflight, ""),
            Request::new(
                "POST",
                "/api/v1/auth/login",
                &json[1..],
                r#"{"email":"a@example.org","password":"no"}"#,
            ),
            Request::new(
                "POST",
                "/api/v1/auth/token",
                &typed("application/x-www-form-urlencoded")[1..],
                "grant_type=password&username=a%40example.org&password=no",
            ),
            Request::new(
                "POST",
                "/api/v1/organizations",
                &json,
                r#"{"name":"An organization","timezone":"UTC"}"#,
            ),
            Request::new("POST", "/api/v1/organizations", &keyed, r#"{"name":"Another organization"}"#),
            Request::new("PATCH", &path, &matching, r#"{"name":null}"#),
            Request::new("PUT", &path, &json, r#"{"timezone":"Europe/Paris"}"#),
            Request::new(
                "POST",
                &readings,
                &json,
                r#"{"readings":[{"metric":"power","at":"2026-01-01T00:00:00Z","value":1}]}"#,
            ),
            Request::new("POST", "/api/v1/ingest/readings", &json, &format!("{{\"readings\":[{row}]}}")),
            Request::new(
                "POST",
                "/api/v1/ingest/readings",
                &typed("application/x-ndjson"),
                &format!("{row}\n{row}\n"),
            ),
            Request::new(
                "POST",
                "/api/v1/ingest/readings",
                &typed("text/csv"),
                "module,metric,at,value\nM,power,2026-01-01T00:00:00Z,1\n",
            ),
            Request::new("DELETE", "/api/v1/sites/018f0000-0000-7000-8000-000000000000", &signed_in, ""),
        ];
        Self { requests }
    }

    pub fn any(&self, random: &mut Random) -> Request {
        self.requests[random.below(self.requests.len())].clone()
    }
}
