//! Mails arrive once, whatever the mail server does.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use sitewatch_domain::{
    audit::AuditFilter,
    jobs::{Act, JobFilter, JobState, Probe},
    mail::{Content, Delivery, DeliveryState, NewMail, ReportReady},
    page::{Listing, SliceRequest},
};
use sitewatch_jobs::{
    Bells, RedisHealth, Tools, Worker, WorkerSettings,
    deliver::{Post, SmtpMailer},
    registry,
};
use sitewatch_tests::{
    postgres::SharedPostgres,
    smtp::{Answer, SmtpSink},
    world::{Backend, World},
};
use tokio::{sync::oneshot, task::JoinHandle, time::Instant};

use crate::{
    ledger::execute,
    plant::{Kind, Plant, system},
};

pub const PATIENCE: Duration = Duration::from_secs(20);
/// Longer than the first pause after a failure.
const LONG: Duration = Duration::from_secs(40);

pub async fn world(kind: Kind) -> World {
    let backend = match kind {
        Kind::Sqlite => Backend::Sqlite,
        _ => Backend::Postgres(SharedPostgres::default()),
    };
    World::start(&Arc::new(backend)).await
}

fn mail(recipient: &str, name: &str) -> NewMail {
    let content = Content::ReportReady(ReportReady {
        organization: name.into(),
        report: name.into(),
        period: "2014-03".into(),
        path: "/reports/1".into(),
    });
    NewMail::new(recipient.parse().expect("an address"), format!("test:{recipient}:{name}"), content)
}

/// A worker within the test, stopped when dropped.
pub struct AtWork(Option<oneshot::Sender<()>>, JoinHandle<()>);

impl AtWork {
    pub fn on(world: &World, post: Post) -> Self {
        let worker = Worker {
            tools: Tools { platform: world.platform.clone(), post },
            registry: registry(),
            bells: Bells::default(),
            redis: RedisHealth::default(),
            actor: system(),
            settings: WorkerSettings {
                poll: Duration::from_millis(20),
                grace: Duration::from_millis(100),
                ..WorkerSettings::default()
            },
        };
        let (stop, stopping) = oneshot::channel::<()>();
        Self(
            Some(stop),
            tokio::spawn(async move {
                let _ended = worker.run(async move { drop(stopping.await) }).await;
            }),
        )
    }

    pub async fn stop(mut self) {
        self.0.take();
        (&mut self.1).await.expect("the worker ends well");
    }
}

pub fn post(sink: &SmtpSink, more: &str) -> Post {
    let server = sink.url(more).parse().expect("a mail server");
    let mailer = Arc::new(SmtpMailer::new(server, "sitewatch.example.org".to_owned()));
    Post::new(
        mailer,
        "sitewatch@example.org".parse().expect("an address"),
        "https://sitewatch.example.org".parse().expect("a URL"),
    )
}

pub async fn send(world: &World, mail: &NewMail) {
    assert!(world.platform.mail().send(&system(), mail.clone()).await.expect("written"));
}

/// Waits until a mail is in this state.
pub async fn until(world: &World, mail: &NewMail, state: DeliveryState, patience: Duration) -> Delivery {
    let give_up = Instant::now() + patience;
    loop {
        let delivery = world.platform.mail().find(&system(), &mail.dedupe_key).await.expect("a delivery");
        if delivery.state == state {
            return delivery;
        }
        assert!(Instant::now() < give_up, "{delivery:?} is not {state:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What the ledger says of the jobs that send mails, and why they failed.
async fn jobs(world: &World) -> Vec<(JobState, Option<String>)> {
    let filter = JobFilter { kind: Some("mail.send.v1".into()), ..JobFilter::default() };
    let jobs = world.platform.jobs().list(&system(), &Listing { filter, ..Listing::default() }).await;
    jobs.expect("jobs").items.into_iter().map(|job| (job.state, job.error)).collect()
}

pub async fn three_recipients_get_one_mail_each(kind: Arc<Kind>) {
    let (world, sink) = (world(*kind).await, SmtpSink::start().await);
    let mails = ["ada", "bob", "eve"].map(|name| mail(&format!("{name}@example.org"), "La Haute Borne"));
    for mail in &mails {
        send(&world, mail).await;
        let again = world.platform.mail().send(&system(), mail.clone()).await.expect("an answer");
        assert!(!again, "a second mail with the same key is none");
    }
    let worker = AtWork::on(&world, post(&sink, ""));
    for mail in &mails {
        let delivery = until(&world, mail, DeliveryState::Sent, PATIENCE).await;
        assert_eq!((delivery.attempts, delivery.last_error.as_deref()), (1, None));
        assert!(delivery.sent_at.is_some());
        let id = format!("<{}>", delivery.message_id.as_deref().expect("a Message-ID"));
        assert_eq!(id, format!("<{}@sitewatch.example.org>", delivery.id));
        assert_eq!(sink.by_message_id().get(&id), Some(&1), "{:?}", sink.by_message_id());
    }
    worker.stop().await;
    let arrived = sink.arrived();
    assert_eq!(arrived.len(), 3);
    for mail in arrived {
        assert_eq!(mail.from, "sitewatch@example.org");
        assert_eq!(mail.header("To"), mail.to);
        assert!(mail.text.contains("https://sitewatch.example.org/reports/1"), "{}", mail.text);
    }
    assert!(jobs(&world).await.iter().all(|job| *job == (JobState::Succeeded, None)));
}

pub async fn what_is_put_off_is_tried_again_under_the_same_message_id(kind: Arc<Kind>) {
    let (world, sink) = (world(*kind).await, SmtpSink::start().await);
    let [busy, cut, late, taken] =
        ["busy", "cut", "late", "taken"].map(|name| mail(&format!("{name}@example.org"), "A"));
    sink.script("busy@example.org", &[Answer::ToRecipient("451 4.3.0 later, please")]);
    sink.script("cut@example.org", &[Answer::CutBefore250]);
    sink.script("late@example.org", &[Answer::ToMail("452 4.3.1 no room")]);
    sink.script("taken@example.org", &[Answer::CutAfter250]);
    for mail in [&busy, &cut, &late, &taken] {
        send(&world, mail).await;
    }
    let worker = AtWork::on(&world, post(&sink, ""));
    assert!(told_to_wait(&world, &busy).await.contains("later, please"));
    let waiting = jobs(&world).await;
    assert!(
        waiting.iter().all(|(_, error)| error.as_ref().is_none_or(|error| !error.contains("451"))),
        "{waiting:?}"
    );
    for (mail, tries) in [(&busy, 2), (&cut, 2), (&late, 2), (&taken, 1)] {
        let delivery = until(&world, mail, DeliveryState::Sent, LONG).await;
        assert_eq!((delivery.attempts, delivery.last_error), (tries, None), "{}", mail.recipient);
    }
    worker.stop().await;
    let arrived = |to: &str| sink.arrived().into_iter().filter(|mail| mail.to == to).collect::<Vec<_>>();
    assert_eq!(arrived("busy@example.org").len(), 1);
    assert_eq!(arrived("taken@example.org").len(), 1);
    let twice = arrived("cut@example.org");
    assert_eq!(twice.len(), 2, "the server had it, and did not say so");
    assert_eq!(twice[0], twice[1], "the same mail, to the last byte");
    assert!(twice[0].header("Message-ID").ends_with("@sitewatch.example.org>"));
}

/// What was said to a mail that then waits again.
async fn told_to_wait(world: &World, mail: &NewMail) -> String {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let delivery = until(world, mail, DeliveryState::Queued, PATIENCE).await;
        if let Some(error) = delivery.last_error {
            return error;
        }
        assert!(Instant::now() < give_up, "it was never put off");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub async fn what_is_refused_is_not_tried_again(kind: Arc<Kind>) {
    let (world, sink) = (world(*kind).await, SmtpSink::start().await);
    let [gone, short, large, policy, relay] =
        ["gone", "short", "large", "policy", "relay"].map(|name| mail(&format!("{name}@example.org"), "A"));
    sink.script("gone@example.org", &[Answer::ToRecipient("550 5.1.1 no such user\u{7}")]);
    // A code without words.
    sink.script("short@example.org", &[Answer::ToRecipient("550 5.1.1")]);
    sink.script("large@example.org", &[Answer::ToMail("552 5.3.4 too large")]);
    sink.script("policy@example.org", &[Answer::ToRecipient("554 5.7.1 relaying denied")]);
    // What a server that is set up wrongly says of every recipient.
    sink.script("relay@example.org", &[Answer::ToRecipient("550 relay not permitted")]);
    for mail in [&gone, &short, &large, &policy, &relay] {
        send(&world, mail).await;
    }
    let worker = AtWork::on(&world, post(&sink, ""));
    for (mail, words) in [
        (&gone, "no such user"),
        (&short, "5.1.1"),
        (&large, "too large"),
        (&policy, "relaying denied"),
        (&relay, "relay not permitted"),
    ] {
        let delivery = until(&world, mail, DeliveryState::Failed, PATIENCE).await;
        assert!(delivery.last_error.as_ref().is_some_and(|error| error.contains(words)), "{delivery:?}");
        assert_eq!((delivery.attempts, delivery.sent_at), (1, None));
    }
    // An address that is none gets no mail any more; one that the server's policy is against may.
    let [gone_again, short_again, large_again, policy_again, relay_again] =
        ["gone", "short", "large", "policy", "relay"].map(|name| mail(&format!("{name}@example.org"), "B"));
    for mail in [&gone_again, &short_again, &large_again, &policy_again, &relay_again] {
        send(&world, mail).await;
    }
    for again in [&gone_again, &short_again] {
        let suppressed = until(&world, again, DeliveryState::Suppressed, PATIENCE).await;
        assert_eq!((suppressed.attempts, suppressed.last_error.is_some()), (0, true));
    }
    let mut suppressions = world.platform.mail().suppressions(&system(), 10).await.expect("an answer");
    suppressions.sort_by(|one, other| one.address.as_str().cmp(other.address.as_str()));
    let [suppression, short] = suppressions.as_slice() else { panic!("two addresses: {suppressions:?}") };
    assert_eq!(
        (suppression.address.as_str(), short.address.as_str()),
        ("gone@example.org", "short@example.org")
    );
    assert!(suppression.reason.contains("no such user"), "{suppression:?}");
    until(&world, &large_again, DeliveryState::Sent, PATIENCE).await;
    until(&world, &policy_again, DeliveryState::Sent, PATIENCE).await;
    until(&world, &relay_again, DeliveryState::Sent, PATIENCE).await;
    worker.stop().await;
    assert_eq!(sink.begun("gone@example.org"), 1);
    let (dead, done): (Vec<_>, Vec<_>) =
        jobs(&world).await.into_iter().partition(|(state, _)| *state == JobState::Dead);
    assert_eq!((dead.len(), done.len()), (5, 5));
    for (_, error) in dead {
        let error = error.expect("a reason");
        assert!(!error.contains("user") && !error.contains("127.0.0.1"), "{error}");
    }
    // A day after it was written a mail is not put off any more.
    let late = mail("late@example.org", "A");
    send(&world, &late).await;
    let database = sea_orm::Database::connect(world.database_url()).await.expect("a connection");
    let sql =
        "UPDATE deliveries SET created_at = created_at - 86400000000 WHERE recipient = 'late@example.org'";
    sea_orm::ConnectionTrait::execute_unprepared(&database, sql).await.expect("an old mail");
    sink.script("late@example.org", &[Answer::ToRecipient("451 4.3.0 later")]);
    let worker = AtWork::on(&world, post(&sink, ""));
    until(&world, &late, DeliveryState::Failed, PATIENCE).await;
    worker.stop().await;

    world.platform.mail().lift_suppression(&system(), &suppression.address).await.expect("it was suppressed");
    let back = mail("gone@example.org", "D");
    send(&world, &back).await;
    let worker = AtWork::on(&world, post(&sink, ""));
    until(&world, &back, DeliveryState::Sent, PATIENCE).await;
    worker.stop().await;

    let withheld = NewMail { withheld: Some("left the organization".into()), ..mail("ada@example.org", "C") };
    send(&world, &withheld).await;
    let delivery = until(&world, &withheld, DeliveryState::Suppressed, PATIENCE).await;
    assert_eq!(delivery.last_error.as_deref(), Some("left the organization"));
    assert_eq!(jobs(&world).await.len(), 12, "nothing is to be done for it");
}

pub async fn a_server_that_hangs_blocks_no_other_lane(kind: Arc<Kind>) {
    let (world, sink) = (world(*kind).await, SmtpSink::start().await);
    let slow: Vec<NewMail> = (0..6).map(|number| mail(&format!("slow{number}@example.org"), "A")).collect();
    for mail in &slow {
        sink.script(mail.recipient.as_str(), &[Answer::Hang]);
        send(&world, mail).await;
    }
    let worker = AtWork::on(&world, post(&sink, "?timeout_s=6"));
    // All that are sent at once hang.
    sink.wait_for(4, PATIENCE).await;
    let began = Instant::now();
    let row = uuid::Uuid::from_u128(9);
    let probe = Probe { probe: row, number: 1, act: Act::Count, organization_id: None };
    world.platform.jobs().enqueue_probes(&system(), &[probe]).await.expect("written");
    while world.platform.jobs().probe_report(&system(), row).await.expect("a report").effects == 0 {
        assert!(began.elapsed() < Duration::from_secs(3), "the probe waits for the mails");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for mail in &slow {
        let delivery = until(&world, mail, DeliveryState::Sent, LONG).await;
        assert_eq!(delivery.attempts, 2, "{}", mail.recipient);
    }
    worker.stop().await;
    assert!(sink.by_message_id().values().all(|count| *count == 2), "{:?}", sink.by_message_id());
}

pub async fn hostile_names_arrive_harmless(kind: Arc<Kind>) {
    let (world, sink) = (world(*kind).await, SmtpSink::start().await);
    let names = [
        "x\r\nBcc: eve@example.org\r\n\r\n<script>alert(1)</script>".to_owned(),
        "🌬".repeat(200),
        "<script>alert(1)</script>".to_owned(),
        "\r\n.\r\nMAIL FROM:<eve@example.org>\r\n".to_owned(),
    ];
    for (number, name) in names.iter().enumerate() {
        let mail = NewMail { dedupe_key: number.to_string(), ..mail("ada@example.org", name) };
        send(&world, &mail).await;
    }
    let worker = AtWork::on(&world, post(&sink, ""));
    sink.wait_for(names.len(), PATIENCE).await;
    worker.stop().await;
    assert_eq!(sink.arrived().len(), names.len());
    for arrived in sink.arrived() {
        assert_eq!(
            (arrived.from.as_str(), arrived.to.as_str()),
            ("sitewatch@example.org", "ada@example.org")
        );
        assert_eq!(arrived.header("To"), "ada@example.org");
        assert!(!arrived.text.lines().any(|line| line.starts_with("Bcc")), "{}", arrived.text);
        let (_, html) = arrived.text.split_once("Content-Type: text/html").expect("two parts");
        assert!(!html.contains("<script"), "{html}");
    }
}

pub async fn without_a_server_mails_are_files(kind: Arc<Kind>) {
    let world = world(*kind).await;
    let mail = mail("ada@example.org", "La Haute Borne");
    send(&world, &mail).await;
    let worker = AtWork::on(&world, world.post.clone());
    let delivery = until(&world, &mail, DeliveryState::Sent, PATIENCE).await;
    worker.stop().await;
    let path = world.folder().join("mail").join(format!("{}.eml", delivery.id));
    let text = std::fs::read_to_string(path).expect("a file");
    // Tests have no public URL, and local ones no domain.
    assert!(text.contains(&format!("Message-ID: <{}@localhost>\r\n", delivery.id)), "{text}");
    assert!(text.contains("From: Sitewatch <sitewatch@localhost>\r\n"), "{text}");
}

/// Who dies after the server has the mail, and before that is noted, leaves it to be sent once more.
pub async fn a_kill_before_it_is_noted_sends_it_once_more(kind: Arc<Kind>) {
    let plant = Plant::new(*kind, Duration::from_secs(15)).await;
    let sink = SmtpSink::start().await;
    let (hit, spared) = (mail("hit@example.org", "A"), mail("spared@example.org", "A"));
    sink.script("hit@example.org", &[Answer::Hang, Answer::Hang]);
    for mail in [&spared, &hit] {
        assert!(plant.platform.mail().send(&system(), mail.clone()).await.expect("written"));
    }
    let url = sink.url("");
    let more = [("SITEWATCH_SMTP_URL", url.as_str()), ("SITEWATCH_MAIL_FROM", "post@example.org")];
    let arrived = |to: &str| sink.arrived().into_iter().filter(|mail| mail.to == to).collect::<Vec<_>>();
    for kills in 1..=2 {
        let mut worker = plant.worker(&more);
        sink.wait_for(1 + kills, PATIENCE).await;
        assert_eq!(arrived("hit@example.org").len(), kills);
        // Noted before the kill, so that it hits the other one alone.
        until_sent(&plant, &spared).await;
        worker.kill();
    }
    let mut worker = plant.worker(&more);
    for mail in [&spared, &hit] {
        until_sent(&plant, mail).await;
    }
    worker.terminate(PATIENCE).await;
    assert_eq!(arrived("spared@example.org").len(), 1, "no kill, no second mail");
    let copies = arrived("hit@example.org");
    assert_eq!(copies.len(), 3, "once, and once more for each kill");
    assert!(copies.iter().all(|copy| *copy == copies[0] && copy.from == "post@example.org"));
}

async fn until_sent(plant: &Plant, mail: &NewMail) {
    let give_up = Instant::now() + LONG;
    while plant.platform.mail().find(&system(), &mail.dedupe_key).await.expect("a delivery").state
        != DeliveryState::Sent
    {
        assert!(Instant::now() < give_up, "{} is not sent", mail.recipient);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A database that is away when the server has taken the mail does not have it sent again.
/// The database goes while a mail is being handed over and stays away for so long; then the mail is noted as sent, and was sent once.
async fn sent_once_without_a_database(kind: Kind, lease: Duration, away: Duration) {
    let plant = Plant::new(kind, lease).await;
    let sink = SmtpSink::start().await;
    let mail = mail("ada@example.org", "A");
    sink.script("ada@example.org", &[Answer::Hold]);
    assert!(plant.platform.mail().send(&system(), mail.clone()).await.expect("written"));
    let smtp = sink.url("");
    let mut workers = [0, 1].map(|_| plant.worker(&[("SITEWATCH_SMTP_URL", smtp.as_str())]));
    sink.wait_for(1, PATIENCE).await;
    let postgres = plant.postgres.as_ref().expect("a server");
    postgres.stop_immediately();
    sink.release();
    tokio::time::sleep(away).await;
    postgres.start_again().await;
    let give_up = Instant::now() + LONG;
    let state = async || {
        let found = plant.platform.mail().find(&system(), &mail.dedupe_key).await;
        found.map(|delivery| delivery.state).ok()
    };
    while state().await != Some(DeliveryState::Sent) {
        assert!(Instant::now() < give_up, "what came of the mail is not noted");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for worker in &mut workers {
        worker.terminate(PATIENCE).await;
    }
    assert_eq!(sink.arrived().len(), 1);
}

pub async fn an_absent_database_sends_nothing_twice(kind: Arc<Kind>) {
    sent_once_without_a_database(*kind, Duration::from_secs(15), Duration::from_secs(2)).await;
}

/// Every lease has run out by then, and none of them is taken from a worker that lives.
pub async fn a_long_absence_of_the_database_sends_nothing_twice(kind: Arc<Kind>) {
    sent_once_without_a_database(*kind, Duration::from_secs(4), Duration::from_secs(9)).await;
}

/// The command, which needs neither a ledger nor a worker.
pub async fn the_test_command_tells_what_happened(kind: Arc<Kind>) {
    let plant = Plant::new(*kind, Duration::from_secs(15)).await;
    let sink = SmtpSink::start().await;
    let run = |to: &str, url: Option<&str>| {
        let mut command = plant.server_command(&["mail", "test", "--to", to]);
        command.envs(url.map(|url| ("SITEWATCH_SMTP_URL", url)));
        let output = command.output().expect("the command runs");
        let text = [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("a text"));
        (output.status.code(), text.concat())
    };
    let url = sink.url("");
    let (code, text) = tokio::task::block_in_place(|| run("ada@example.org", Some(&url)));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("said 250 2.0.0 taken") && text.contains(&url), "{text}");
    assert_eq!(sink.arrived().len(), 1);
    assert_eq!(sink.arrived()[0].header("Subject"), "Sitewatch: mail works");

    sink.script("gone@example.org", &[Answer::ToRecipient("550 5.1.1 no such user")]);
    let (code, text) = tokio::task::block_in_place(|| run("gone@example.org", Some(&url)));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("no such user"), "{text}");

    // Neither a mail nor a password is said in the clear to a server that cannot do better.
    let secret = url.replace("smtp://", "smtp://bob:hunter2@") + "?tls=starttls";
    let (code, text) = tokio::task::block_in_place(|| run("ada@example.org", Some(&secret)));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("STARTTLS") && !text.contains("hunter2"), "{text}");
    assert_eq!(sink.arrived().len(), 1);

    let (code, text) = tokio::task::block_in_place(|| run("ada@example.org", None));
    assert_eq!(code, Some(0), "{text}");
    let path = text.split_once("kept in ").and_then(|(_, rest)| rest.split_once(".eml")).expect("a path").0;
    let letter = std::fs::read_to_string(format!("{path}.eml")).expect("the file that was named");
    assert!(letter.contains("Subject: Sitewatch: mail works"), "{letter}");

    let (code, text) = tokio::task::block_in_place(|| run("nobody", None));
    assert_eq!(code, Some(2), "{text}");
}

pub async fn addresses_that_take_no_mail_are_listed_and_let_off(kind: Arc<Kind>) {
    let plant = Plant::new(*kind, Duration::from_secs(15)).await;
    let run = |arguments: &[&str]| {
        let output = tokio::task::block_in_place(|| plant.server_command(arguments).output());
        let output = output.expect("the command runs");
        let text = [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("a text"));
        (output.status.code(), text.concat())
    };
    assert_eq!(run(&["mail", "suppressions"]), (Some(0), "every address gets its mail\n".to_owned()));
    execute(&plant, "INSERT INTO mail_suppressions VALUES ('gone@example.org', '550 5.1.1 no such user', 0)")
        .await;
    let (code, text) = run(&["mail", "suppressions"]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(text.trim_end(), "gone@example.org\t1970-01-01T00:00:00.000Z\t550 5.1.1 no such user");
    let (code, text) = run(&["mail", "allow", "--to", "gone@example.org"]);
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = run(&["mail", "allow", "--to", "gone@example.org"]);
    assert!(code == Some(1) && text.contains("gone@example.org is not suppressed"), "{code:?} {text}");
    let filter = AuditFilter { resource: Some("mail_suppression".into()), ..AuditFilter::default() };
    let slice = SliceRequest::new(10, None).expect("a slice");
    let log = plant.platform.audit().list(&system(), &filter, &slice).await.expect("a log");
    let [entry] = log.items.as_slice() else { panic!("one entry: {log:?}") };
    let lifted = entry.after.as_ref().expect("what was lifted");
    assert_eq!((entry.action.name(), &lifted["address"]), ("deleted", &json!("gone@example.org")));
    assert_eq!(run(&["mail", "suppressions"]).1, "every address gets its mail\n");
}
