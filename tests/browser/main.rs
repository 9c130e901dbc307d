//! The served pages in a real browser.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a panic is how a test reports a failure"
)]

use std::{
    process::{Command, ExitCode},
    sync::Arc,
    time::Duration,
};

use sitewatch_tests::{
    cases,
    harness::Suite,
    ports::free_port,
    processes::Process,
    world::{Backend, PASSWORD, World},
};
use thirtyfour::{
    By, ChromiumLikeCapabilities as _, DesiredCapabilities, LoggingPrefsLogLevel, WebDriver,
    prelude::ElementQueryable as _,
};

fn main() -> ExitCode {
    let mut suite = Suite::new();
    suite.variant("sqlite", Backend::Sqlite);
    cases!(suite, "docs": authorize_and_try_it_out);
    cases!(suite, "pages": the_reader_shows_every_operation, errors_are_explained);
    suite.run()
}

/// A driver with a browser of its own.
struct Browser {
    driver: WebDriver,
    _process: Process,
    _profile: tempfile::TempDir,
}

impl Browser {
    async fn start() -> Self {
        let profile = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}"));
        let mut process = Process::spawn(
            "chromedriver (Debian and Ubuntu: apt-get install chromium chromium-driver)",
            command,
            &profile.path().join("log"),
        );
        let url = format!("http://127.0.0.1:{port}");
        process.wait_for_http(&format!("{url}/status"), Duration::from_secs(30)).await;
        let mut capabilities = DesiredCapabilities::chrome();
        let data = format!("--user-data-dir={}", profile.path().join("profile").display());
        for flag in [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--window-size=1400,1600",
            data.as_str(),
        ] {
            capabilities.add_arg(flag).expect("a flag");
        }
        capabilities.set_browser_log_level(LoggingPrefsLogLevel::All).expect("a log level");
        let driver = WebDriver::new(&url, capabilities).await.expect("a browser");
        Self { driver, _process: process, _profile: profile }
    }

    /// What the browser wrote to its console as an error since it was started: of the page itself and of what it loads.
    async fn faults(&self) -> Vec<String> {
        let log = self.driver.browser_log().await.expect("the console's log");
        let severe = log.into_iter().filter(|entry| entry.level == "SEVERE");
        severe.map(|entry| entry.message).collect()
    }

    /// Opens a page of the server.
    async fn open(&self, world: &World, path: &str) {
        self.driver.goto(format!("{}{path}", world.base)).await.expect("a page");
    }

    /// What a script of the test's own makes of the page.
    async fn eval<T: serde::de::DeserializeOwned>(&self, script: &str) -> T {
        let value = self.driver.execute(script, Vec::new()).await.expect("a script");
        value.convert().unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// That the page ran without a fault and took everything from its own server; and that a script which stands in the page itself
    /// would not have run.
    async fn is_clean(&self) {
        let hosts: Vec<String> = self
            .eval("return performance.getEntriesByType('resource').map(entry => new URL(entry.name).host).filter(host => host !== location.host);")
            .await;
        assert!(hosts.is_empty(), "loaded from other hosts: {hosts:?}");
        let faults = self.faults().await;
        assert!(faults.is_empty(), "{faults:?}");
        let ran: bool = self
            .eval(
                "const script = document.createElement('script'); \
                 try { script.textContent = 'window.canary = 1'; document.body.append(script); } catch {} \
                 return window.canary === 1;",
            )
            .await;
        assert!(!ran, "a script within the page ran");
        let blocked = self.faults().await;
        assert!(!blocked.is_empty(), "had there been a violation, it would have been seen");
    }

    async fn click(&self, css: &str) {
        let element = self.driver.query(By::Css(css.to_owned())).and_displayed().first().await;
        element
            .unwrap_or_else(|error| panic!("{css}: {error}"))
            .click()
            .await
            .unwrap_or_else(|error| panic!("{css}: {error}"));
    }

    async fn fill(&self, css: &str, text: &str) {
        let element = self.driver.query(By::Css(css.to_owned())).and_displayed().first().await;
        element
            .unwrap_or_else(|error| panic!("{css}: {error}"))
            .send_keys(text)
            .await
            .unwrap_or_else(|error| panic!("{css}: {error}"));
    }
}

/// The documentation signs a user in and calls the API for him, without an error and without any other host.
async fn authorize_and_try_it_out(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    world.member(&org, "ada", "admin").await;
    world.site(&org, "La Haute Borne").await;
    let browser = Browser::start().await;
    browser.driver.goto(format!("{}/docs", world.base)).await.expect("a page");
    assert_eq!(browser.driver.current_url().await.expect("an address").path(), "/docs/");
    browser.click("button.authorize").await;
    browser.fill("#oauth_username", "ada@example.org").await;
    browser.fill("#oauth_password", PASSWORD).await;
    browser.click(".auth-container:has(#oauth_username) button.authorize").await;
    browser.click("button.btn-done").await;
    browser.click("#operations-sites-listSites .opblock-summary-control").await;
    browser.click("#operations-sites-listSites button.try-out__btn").await;
    browser.click("#operations-sites-listSites button.execute").await;
    let status = browser
        .driver
        .query(By::Css("#operations-sites-listSites .live-responses-table tbody .response-col_status"))
        .first()
        .await;
    let status = status.expect("an answer").text().await.expect("a text");
    assert!(status.contains("200"), "{status}");
    let answer =
        browser.driver.query(By::Css("#operations-sites-listSites .live-responses-table")).first().await;
    let answer = answer.expect("an answer").text().await.expect("a text");
    assert!(answer.contains("La Haute Borne"), "{answer}");
    let hosts = "return performance.getEntriesByType('resource').map(entry => new URL(entry.name).host).filter(host => host !== location.host);";
    let hosts: Vec<String> =
        browser.driver.execute(hosts, Vec::new()).await.expect("a script").convert().expect("a list");
    assert!(hosts.is_empty(), "loaded from other hosts: {hosts:?}");
    let faults = browser.faults().await;
    assert!(faults.is_empty(), "{faults:?}");
    // Had there been one, it would have been seen.
    browser.driver.execute("console.error('canary');", Vec::new()).await.expect("a script");
    assert!(browser.faults().await.iter().any(|fault| fault.contains("canary")));
    browser.driver.clone().quit().await.expect("the browser closes");
}

/// The reader of the OpenAPI document shows all of it, finds what is looked for, and follows its own links.
async fn the_reader_shows_every_operation(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let document = world.anonymous().get("/openapi.json").await.expect(200).json();
    let items = document["paths"].as_object().expect("paths").values();
    let operations: usize = items.map(|item| item.as_object().map_or(0, serde_json::Map::len)).sum();
    let browser = Browser::start().await;
    browser.open(&world, "/redoc#operation-listSites").await;
    let section = browser.driver.query(By::Css("#operation-listSites".to_owned())).first().await;
    let text = section.expect("an operation").text().await.expect("a text");
    for part in ["GET /api/v1/sites", "per_page", "Needs a token", "422", "Envelope_Vec_Site"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let shown: usize =
        browser.eval("return document.querySelectorAll('main section[id^=operation-]').length;").await;
    assert_eq!(shown, operations);
    let dangling: Vec<String> = browser
        .eval(
            "return [...document.querySelectorAll('a[href^=\"#\"]')].map(link => link.getAttribute('href').slice(1)) \
             .filter(id => !document.getElementById(id));",
        )
        .await;
    assert!(dangling.is_empty(), "links to nothing: {dangling:?}");
    let deprecated: String =
        browser.eval("return document.querySelector('#operation-getOwnUser .deprecated').textContent;").await;
    assert!(deprecated.contains("Deprecated"), "{deprecated}");
    let scrolled: bool = browser
        .eval("return Math.abs(document.getElementById('operation-listSites').getBoundingClientRect().top) < 200;")
        .await;
    assert!(scrolled, "the page opens where its address says");
    browser.fill("#filter", "post /api/v1/sites").await;
    let left: Vec<String> = browser
        .eval("return [...document.querySelectorAll('#contents li:not([hidden])')].map(item => item.textContent);")
        .await;
    assert!(left.contains(&"createSite".to_owned()) && left.len() < operations / 4, "{left:?}");
    let labelled: bool = browser
        .eval("return document.documentElement.lang === 'en' && document.getElementById('filter').labels.length === 1 && document.querySelectorAll('h1').length === 1;")
        .await;
    assert!(labelled);
    browser.is_clean().await;
    browser.driver.clone().quit().await.expect("the browser closes");
}

/// From the list of errors to what one of them means, and back.
async fn errors_are_explained(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let browser = Browser::start().await;
    browser.open(&world, "/problems").await;
    browser.click("a[href='/problems/precondition_failed']").await;
    let text: String = browser.eval("return document.querySelector('main').innerText;").await;
    assert!(text.contains("precondition_failed") && text.contains("ETag"), "{text}");
    let styled: String =
        browser.eval("return getComputedStyle(document.querySelector('main')).maxWidth;").await;
    assert_eq!(styled, "800px", "the sheet is in force");
    browser.click("a[href='/problems']").await;
    assert_eq!(browser.driver.current_url().await.expect("an address").path(), "/problems");
    browser.is_clean().await;
    browser.driver.clone().quit().await.expect("the browser closes");
}
