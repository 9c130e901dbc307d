//! What letters look like, and what hostile names come to.

use std::sync::Mutex;

use sitewatch_domain::{
    ids::Id,
    mail::{Invitation, NewMail, PasswordReset, ReportReady, SecurityEvent, SecurityNotice},
    time::Instant,
};

use super::*;

/// Keeps the last letter.
#[derive(Default)]
struct Drawer(Mutex<Option<Letter>>);

#[async_trait]
impl Mailer for Drawer {
    async fn send(&self, letter: &Letter) -> Result<String, MailFailure> {
        *self.0.lock().expect("no panic") = Some(letter.clone());
        Ok("kept".into())
    }

    fn destination(&self) -> String {
        "a drawer".into()
    }
}

struct Shelf;

#[async_trait]
impl Attachments for Shelf {
    async fn read(&self, run: Uuid, _to: &EmailAddress) -> Result<Enclosed, BoxError> {
        match run.as_u128() {
            0 => Ok(Enclosed::Nothing),
            3 => Ok(Enclosed::Withheld("he has left".into())),
            1 => Ok(Enclosed::File(Attachment {
                name: "Bericht März.pdf".parse()?,
                media_type: "application/pdf".into(),
                bytes: vec![0, 255, 13, 10],
            })),
            _ => Err("the shelf fell down".into()),
        }
    }
}

fn delivery(name: &str, path: &str, attachment: Option<u128>) -> Delivery {
    let content = Content::ReportReady(ReportReady {
        organization: name.into(),
        report: name.into(),
        period: "2014-03".into(),
        path: path.into(),
    });
    let attachment = attachment.map(Uuid::from_u128);
    delivery_of(NewMail { attachment, ..NewMail::new(ada(), "k".into(), content) })
}

fn ada() -> EmailAddress {
    "ada@example.org".parse().expect("an address")
}

fn delivery_of(new: NewMail) -> Delivery {
    Delivery::new(Id::from_uuid(Uuid::from_u128(7)), new, Instant::from_secs(1_400_000_000)).expect("JSON")
}

async fn posted(delivery: &Delivery) -> Result<Letter, MailFailure> {
    posted_with(delivery, None).await
}

async fn posted_with(delivery: &Delivery, secret: Option<&str>) -> Result<Letter, MailFailure> {
    let drawer = Arc::new(Drawer::default());
    let sender = "sitewatch@example.org".parse().expect("an address");
    let url = "https://sitewatch.example.org".parse().expect("a URL");
    let post = Post::new(Arc::<Drawer>::clone(&drawer), sender, url).with_attachments(Arc::new(Shelf));
    post.send(delivery, secret.map(|secret| Secret::new(secret.to_owned())).as_ref()).await?;
    let letter = drawer.0.lock().expect("no panic").take();
    Ok(letter.expect("a letter"))
}

/// The lines of the head, those that are folded put together again.
fn head(bytes: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(bytes).expect("ASCII");
    let (head, _) = text.split_once("\r\n\r\n").expect("a head");
    head.replace("\r\n ", " ").split("\r\n").map(str::to_owned).collect()
}

#[tokio::test]
async fn a_letter_is_the_same_bytes_each_time_and_has_the_headers_of_a_machines_mail() {
    let delivery = delivery("La Haute Borne", "/reports/1", Some(1));
    let letter = posted(&delivery).await.expect("a letter");
    let bytes = letter.bytes().expect("bytes");
    assert_eq!(posted(&delivery).await.expect("a letter").bytes().expect("bytes"), bytes);
    assert!(bytes.is_ascii());
    let head = head(&bytes);
    for line in [
        "Message-ID: <00000000-0000-0000-0000-000000000007@sitewatch.example.org>",
        "Date: Tue, 13 May 2014 16:53:20 +0000",
        "From: Sitewatch <sitewatch@example.org>",
        "To: ada@example.org",
        "Subject: La Haute Borne, 2014-03 (La Haute Borne)",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
    ] {
        assert!(head.contains(&line.to_owned()), "{line} in {head:?}");
    }
    assert!(letter.text.contains("attached") && letter.html.contains("attached"));
    for text in [&letter.text, &letter.html] {
        assert!(text.contains("https://sitewatch.example.org/reports/1"), "{text}");
    }
    let moved = Delivery { message_id: Some("first@old.example.org".into()), ..delivery };
    assert_eq!(posted(&moved).await.expect("a letter").message_id.as_str(), "first@old.example.org");
}

#[tokio::test]
async fn a_mail_goes_without_a_file_that_is_gone_and_waits_for_one_that_cannot_be_read() {
    let letter = posted(&delivery("A", "/", Some(0))).await.expect("a letter");
    assert!(letter.attachment.is_none() && !letter.text.contains("attached"));
    let failure = posted(&delivery("A", "/", Some(2))).await.expect_err("unreadable");
    assert!(matches!(failure, MailFailure::PutOff(_)), "{failure}");
    let withheld = posted(&delivery("A", "/", Some(3))).await.expect_err("not his any more");
    assert_eq!(withheld, MailFailure::Withheld("he has left".into()));
}

#[tokio::test]
async fn a_template_of_a_newer_version_waits_for_a_newer_worker() {
    let odd = Delivery { template: "tomorrow".into(), ..delivery("A", "/", None) };
    assert!(matches!(posted(&odd).await, Err(MailFailure::PutOff(_))));
}

#[tokio::test]
async fn hostile_names_are_harmless() {
    for name in [
        "x\r\nBcc: eve@example.org\r\n\r\n<script>alert(1)</script>",
        &"🌬".repeat(200),
        "<script>alert(1)</script>",
        "\" onmouseover=\"x\" & <b>",
        "\u{202e}fdp.exe\u{2028}Bcc: eve@example.org",
        "=?utf-8?q?=0D=0ABcc:_eve=40example.org?=",
        "\n.\r\n.\r\nQUIT",
    ] {
        let letter = posted(&delivery(name, "/reports/1", None)).await.expect(name);
        let bytes = letter.bytes().expect(name);
        let head = head(&bytes);
        let names: Vec<&str> =
            head.iter().filter_map(|line| line.split_once(": ")).map(|(name, _)| name).collect();
        assert_eq!(
            names,
            ["Message-ID", "Date", "From", "To", "Subject", "Auto-Submitted", "MIME-Version", "Content-Type"],
            "{name:?}"
        );
        assert!(head.iter().all(|line| !line.starts_with("To") || line == "To: ada@example.org"));
        let longest = bytes.split(|byte| *byte == b'\n').map(<[u8]>::len).max();
        assert!(longest <= Some(998), "{name:?}: {longest:?}");
        assert!(!letter.html.contains("<script") && !letter.html.contains("<b>"), "{}", letter.html);
        assert!(!letter.text.lines().any(|line| line.starts_with("Bcc")), "{}", letter.text);
        assert!(letter.subject.as_str().chars().count() < 200);
    }
}

#[test]
fn headers_take_one_line_without_control_characters() {
    for odd in
        ["a\r\nBcc: b", "a\nb", "a\rb", "a\0b", "\u{7f}", "a\tb", "a\u{85}b", "a\u{2028}b", "\u{202e}a"]
    {
        assert_eq!(odd.parse::<HeaderText>(), Err(NotHeaderText), "{odd:?}");
    }
    for plain in ["", "a: b", "Grüße 🌬", "=?utf-8?q?a?="] {
        assert_eq!(plain.parse::<HeaderText>().expect(plain).as_str(), plain);
    }
}

#[tokio::test]
async fn links_stay_within_the_installation() {
    for path in
        ["//eve.example.org/x", "https://eve.example.org", "javascript:alert(1)", "\\\\eve.example.org"]
    {
        let letter = posted(&delivery("A", path, None)).await.expect(path);
        assert!(letter.text.contains("\nhttps://sitewatch.example.org/"), "{path}: {}", letter.text);
        assert!(
            !letter.html.contains("javascript") && !letter.html.contains("//eve"),
            "{path}: {}",
            letter.html
        );
    }
}

#[test]
fn addresses_are_written_for_servers_without_extensions() {
    let wire =
        |text: &str| letter::wire_address(&text.parse().expect(text)).map(|address| address.to_string());
    assert_eq!(wire("Ada@Example.org").expect("plain"), "ada@example.org");
    assert_eq!(wire("ada@münchen.example").expect("a name"), "ada@xn--mnchen-3ya.example");
    let domain = |url: &str| mail_domain(&url.parse().expect(url));
    assert_eq!(domain("https://sitewatch.example.org:8443"), "sitewatch.example.org");
    assert_eq!(
        (domain("http://127.0.0.1:8080"), domain("http://[::1]")),
        ("localhost".into(), "localhost".into())
    );
}

#[tokio::test]
async fn letters_are_kept_as_whole_files() {
    let folder = std::env::temp_dir().join(format!("sitewatch-mail-{}", std::process::id()));
    let mailer = FileMailer::new(folder.join("mail"));
    let letter = posted(&delivery("A", "/", None)).await.expect("a letter");
    for _ in 0..2 {
        let said = mailer.send(&letter).await.expect("kept");
        assert!(said.contains("mail.smtp_url"), "{said}");
    }
    let files: Vec<_> = std::fs::read_dir(folder.join("mail"))
        .expect("a folder")
        .map(|file| file.expect("a file").path())
        .collect();
    assert_eq!(files.len(), 1, "one letter, one file, no drafts: {files:?}");
    assert_eq!(std::fs::read(&files[0]).expect("read"), letter.bytes().expect("bytes"));
    std::fs::write(folder.join("taken"), "").expect("written");
    let failure = FileMailer::new(folder.join("taken")).send(&letter).await.expect_err("no folder");
    assert!(matches!(failure, MailFailure::PutOff(_)), "{failure}");
    std::fs::remove_dir_all(folder).expect("removed");
}

#[tokio::test]
async fn a_token_stands_in_the_fragment_of_a_link_of_the_installation_and_nowhere_else() {
    let reset = |path: &str| {
        let content = Content::PasswordReset(PasswordReset { path: path.into(), minutes: 30 });
        delivery_of(NewMail::new(ada(), "k".into(), content))
    };
    let letter = posted_with(&reset("/reset-password"), Some("s3cret_-")).await.expect("a letter");
    assert_eq!(letter.subject.as_str(), "Choose a new password for Sitewatch");
    for text in [&letter.text, &letter.html] {
        assert!(text.contains("https://sitewatch.example.org/reset-password#token=s3cret_-"), "{text}");
        assert!(text.contains("30 minutes"), "{text}");
    }
    let letter = posted_with(&reset("//evil.example.org/x"), Some("s3cret")).await.expect("a letter");
    assert!(letter.text.contains("https://sitewatch.example.org/#token=s3cret"), "{}", letter.text);
    assert!(!letter.text.contains("evil"), "{}", letter.text);
    let forgotten = posted(&reset("/reset-password")).await.expect_err("no link without it");
    assert!(matches!(forgotten, MailFailure::Refused(_)), "{forgotten}");

    let content = Content::Invitation(Invitation {
        organization: "A & <b>".into(),
        inviter: "Eve\nBcc: x@example.org".into(),
        path: "/invitation".into(),
        hours: 72,
    });
    let letter = posted_with(&delivery_of(NewMail::new(ada(), "k".into(), content)), Some("tok")).await;
    let letter = letter.expect("a letter");
    assert_eq!(letter.subject.as_str(), "Invitation to A & <b>");
    assert!(letter.text.contains("https://sitewatch.example.org/invitation#token=tok"), "{}", letter.text);
    assert!(letter.text.contains("Eve Bcc: x@example.org") && letter.text.contains("72 hours"));
    assert!(letter.html.contains("A &#38; &#60;b&#62;"), "{}", letter.html);
}

#[tokio::test]
async fn a_notice_tells_what_happened_when_and_from_where() {
    let notice = |event, client: Option<&str>| {
        let content = Content::SecurityNotice(SecurityNotice {
            event,
            at: Instant::from_secs(1_400_000_000),
            client: client.map(str::to_owned),
            user_agent: Some("curl/8 <script>".into()),
            about: Some("gateway".into()),
            keys_left: if event == SecurityEvent::PasswordReset { 2 } else { 0 },
        });
        delivery_of(NewMail::new(ada(), "k".into(), content))
    };
    for (event, subject, words) in [
        (SecurityEvent::NewSignIn, "New sign-in to Sitewatch", "an address that was not used before"),
        (SecurityEvent::TokenReused, "A session was ended for safety", "used a second time"),
        (SecurityEvent::PasswordChanged, "Your Sitewatch password was changed", "was changed"),
        (SecurityEvent::PasswordReset, "Your Sitewatch password was reset", "sent to this address"),
        (
            SecurityEvent::PasswordReset,
            "Your Sitewatch password was reset",
            "2 API keys of yours are still good",
        ),
        (SecurityEvent::ApiKeyCreated, "A Sitewatch API key was made", "gateway"),
        (SecurityEvent::OrganizationKeyCreated, "A Sitewatch API key of an organization was made", "gateway"),
    ] {
        let letter = posted(&notice(event, Some("192.0.2.7"))).await.expect("a letter");
        assert_eq!(letter.subject.as_str(), subject);
        for text in [&letter.text, &letter.html] {
            for part in [words, "2014-05-13 16:53:20 UTC", "192.0.2.7", "https://sitewatch.example.org/"] {
                assert!(text.contains(part), "{part} in {text}");
            }
        }
        assert!(letter.text.contains("curl/8 <script>") && !letter.html.contains("<script>"));
    }
    let letter = posted(&notice(SecurityEvent::PasswordChanged, None)).await.expect("a letter");
    assert!(!letter.text.contains("Address:") && !letter.text.contains("API key"), "{}", letter.text);
}
