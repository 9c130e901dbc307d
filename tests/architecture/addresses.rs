//! The addresses of the API that documents name are those of docs/openapi.json, with the methods that they have there.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    promises::{documents, quoted, text_of},
    workspace::report,
};

/// What is served beside the document, or begins what is: pages, the port of the figures, addresses whose version a header names.
const BESIDE: &[&str] = &[
    "/",
    "/api",
    "/api/v1",
    "/api/v2",
    "/api/users",
    "/docs",
    "/metrics",
    "/problems",
    "/problems/{}",
    "/redoc",
];

/// After these an address of the API follows in the lines of a shell.
const SERVERS: &[&str] = &["$API", "$URL", "http://127.0.0.1:8080", "http://127.0.0.1:9090"];

const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// Addresses with their methods, as far as a document tells them.
struct Known(BTreeMap<String, Vec<String>>);

impl Known {
    fn read() -> Self {
        let document: Value = serde_json::from_str(&text_of("docs/openapi.json")).expect("docs/openapi.json");
        let paths = document["paths"].as_object().expect("paths");
        let methods = |item: &Value| {
            item.as_object().expect("an item").keys().map(|name| name.to_uppercase()).collect()
        };
        Self(paths.iter().map(|(path, item)| (shape(path), methods(item))).collect())
    }

    /// Whether there is this address with this method, or with any.
    fn has(&self, method: Option<&str>, address: &str) -> bool {
        let has_method = |methods: &[String]| {
            method.is_none_or(|method| {
                methods.iter().any(|known| known == method || (method == "HEAD" && known == "GET"))
            })
        };
        let Some(end) = address.strip_prefix('…') else {
            let address = shape(address);
            let is_beside = method.is_none_or(|method| method == "GET") && BESIDE.contains(&address.as_str());
            return is_beside
                || [address.clone(), format!("/api/v1{address}")]
                    .iter()
                    .any(|whole| self.0.get(whole).is_some_and(|methods| has_method(methods)));
        };
        let end = shape(end);
        self.0.iter().any(|(known, methods)| known.ends_with(&end) && has_method(methods))
    }
}

/// An address without its question, each id in it shown as `{}`.
fn shape(address: &str) -> String {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let is_id =
        |part: &str| part.starts_with(['{', '$', '<']) || part.starts_with(|c: char| c.is_ascii_digit());
    let parts: Vec<&str> = path.split('/').map(|part| if is_id(part) { "{}" } else { part }).collect();
    let whole = parts.join("/");
    if whole.len() > 1 { whole.trim_end_matches('/').to_owned() } else { whole }
}

/// Where an address ends in running text or in a line of a shell.
fn address_at(text: &str) -> &str {
    let end = text.find([' ', '"', '\'', '`', ')', ',', '|', '\\', ';', '>', '*', '\n', '…']);
    let found = end.map_or(text, |end| &text[..end]);
    found.trim_end_matches(['.', ':'])
}

/// `GET, PUT /sites/{id} {"name"}`: its methods and its address.
fn request(text: &str) -> Option<(Vec<&str>, &str)> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let count = words.iter().take_while(|word| METHODS.contains(&word.trim_end_matches(','))).count();
    let address = words.get(count).filter(|word| word.starts_with('/') || word.starts_with("…/"))?;
    let methods = words[..count].iter().map(|word| word.trim_end_matches(',')).collect();
    // Files, what is no address at all, and pages of the dashboard.
    let is_other =
        ["/usr/", "/etc/", "/run/", "/var/", "//", "/./"].iter().any(|folder| address.starts_with(folder))
            || address.contains('#');
    (!is_other).then_some((methods, *address))
}

/// What a document names that is not there, and how many addresses it names.
fn faults_of(known: &Known, text: &str) -> (Vec<String>, usize) {
    let (mut faults, mut count) = (Vec::new(), 0);
    let mut look = |method: Option<&str>, address: &str| {
        count += 1;
        if !known.has(method, address) {
            faults.push(format!("{} {address}", method.unwrap_or_default()).trim().to_owned());
        }
    };
    for line in text.lines() {
        for (methods, address) in quoted(line).filter_map(request) {
            if methods.is_empty() {
                look(None, address);
            }
            for method in methods {
                look(Some(method), address);
            }
        }
        for server in SERVERS {
            for rest in line.split(server).skip(1).filter(|rest| rest.starts_with('/')) {
                let method = line.split("-X ").nth(1).and_then(|rest| rest.split_whitespace().next());
                look(method, address_at(rest));
            }
        }
    }
    (faults, count)
}

#[test]
fn the_documents_name_addresses_that_there_are() {
    let known = Known::read();
    let (mut faults, mut count) = (Vec::new(), 0);
    for (document, text) in documents() {
        let (of_document, named) = faults_of(&known, &text);
        faults.extend(of_document.into_iter().map(|fault| format!("{document}: {fault}")));
        count += named;
    }
    assert!(count > 100, "{count} addresses");
    report("The documents name addresses that docs/openapi.json does not know", &faults);
}

#[test]
fn addresses_that_there_are_not_are_found() {
    let known = Known::read();
    for good in [
        "`GET, PATCH /sites/{id} {\"name\"}` and `/api/v1/sites`",
        "curl -s -X POST $API/auth/logout -H 'x: y'",
        "curl -s http://127.0.0.1:8080/api/v1/modules/$MODULE/readings?limit=1 # some",
        "`POST …/restore`, `HEAD /health`, `/usr/local/bin`, `GET`",
    ] {
        assert_eq!(faults_of(&known, good).0, [""; 0], "{good}");
    }
    for bad in [
        "`GET /site/{id}`",
        "`POST /sites/{id}`",
        "`/api/v1/place`",
        "`DELETE …/restore`",
        "curl -s $API/auth/log-in -d '{}'",
        "curl -X DELETE http://127.0.0.1:8080/api/v1/auth/logout",
    ] {
        assert_eq!(faults_of(&known, bad).0.len(), 1, "{bad}");
    }
}
