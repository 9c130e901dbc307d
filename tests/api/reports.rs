//! Reports: who sees which, what is in their files, who is told.

use std::{collections::BTreeSet, sync::Arc};

use sea_orm::{ConnectionTrait as _, Database, Statement};
use serde_json::{Value, json};
use sitewatch_domain::{
    jobs::{Lane, When},
    reports::StartReport,
};
use sitewatch_jobs::{LaneSettings, WorkerSettings, registry};
use sitewatch_tests::{
    client::{Answer, Client},
    smtp::SmtpSink,
    world::{Backend, World},
};

use crate::jobs::{system, work_with};

/// Asks for a run and has it made; the run.
pub async fn made(world: &World, client: &Client, report: &str, period: &str) -> Value {
    let job =
        client.post(&format!("/api/v1/reports/{report}/run"), json!({ "period": period })).await.expect(202);
    let id = job.id();
    assert_eq!(job.header("location"), format!("/api/v1/jobs/{id}"));
    work_with(world, registry(), WorkerSettings::default(), &id, "succeeded").await;
    newest_run(client, report).await
}

/// Asks for a run that cannot be made; the run.
pub async fn failed(world: &World, report: &str) -> Value {
    let job = world.root.act(&format!("/api/v1/reports/{report}/run")).await.expect(202).id();
    work_with(world, registry(), WorkerSettings::default(), &job, "dead").await;
    newest_run(&world.root, report).await
}

pub async fn newest_run(client: &Client, report: &str) -> Value {
    let path = format!("/api/v1/reports/{report}/runs?sort=-created_at");
    client.get(&path).await.expect(200).data()[0].clone()
}

pub async fn fetched(client: &Client, run: &Value) -> Answer {
    client.get(run["file"]["href"].as_str().expect("a file")).await
}

pub async fn report(client: &Client, organization: &str, more: Value) -> String {
    let mut body =
        json!({ "organization_id": organization, "name": "R", "period": "month", "format": "csv" });
    for (key, value) in more.as_object().expect("an object") {
        body[key] = value.clone();
    }
    client.post("/api/v1/reports", body).await.expect(201).id()
}

pub async fn a_members_report_holds_what_is_assigned_to_him(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let module_type = world.module_type(&org, "T", &["power"]).await;
    let (site, hidden) = (world.site(&org, "near").await, world.site(&org, "canary-site").await);
    let module = world.module(&site, &module_type, "seen").await;
    world.module(&site, &module_type, "canary-beside").await;
    world.module(&hidden, &module_type, "canary-there").await;
    let (ada, member) = world.member(&org, "ada", "member").await;
    let assignment = world.assign(&org, &ada, "module_id", &module, "viewer").await;
    // He can name what he sees, and nothing else.
    for (field, id) in [("site_id", &hidden), ("site_id", &site)] {
        let body =
            json!({ "organization_id": org, "name": "R", "period": "day", "format": "csv", field: id });
        assert_eq!(member.post("/api/v1/reports", body).await.expect(422).faults(), [field]);
    }
    let mine = report(&member, &org, json!({ "format": "html" })).await;
    let theirs = report(&world.root, &org, json!({})).await;
    member.get(&format!("/api/v1/reports/{theirs}")).await.expect(404);
    let listed = member.get("/api/v1/reports").await.expect(200).data();
    assert_eq!(listed.as_array().expect("a list").len(), 1, "his own");
    let run = made(&world, &member, &mine, "2026-01").await;
    let file = fetched(&member, &run).await.expect(200);
    assert!(file.text.contains("seen") && !file.text.contains("canary"), "{}", file.text);
    // What he has lost he does not fetch from an older file either.
    world.root.delete(&format!("/api/v1/organizations/{org}/assignments/{assignment}")).await.expect(200);
    fetched(&member, &run).await.expect(403);
    fetched(&world.root, &run).await.expect(200);
    let empty = made(&world, &member, &mine, "2026-01").await;
    let file = fetched(&member, &empty).await.expect(200);
    assert!(file.text.contains("Nothing is assigned to you"), "{}", file.text);
    // Without his membership there is no report at all.
    world.root.delete(&format!("/api/v1/organizations/{org}/users/{ada}")).await.expect(200);
    fetched(&member, &empty).await.expect(404);
    member.get(&format!("/api/v1/reports/{mine}")).await.expect(404);
    let run = failed(&world, &mine).await;
    assert_eq!(run["state"], "failed");
    assert_eq!(run["error"], "the report's owner is no member of the organization any more");
    let (report, run) = (mine, run["id"].as_str().expect("an id").to_owned());
    let path = format!("/api/v1/reports/{report}/runs/{run}/download");
    assert_eq!(world.root.get(&path).await.expect(409).error_type(), "conflict");
}

pub async fn a_superusers_report_stays_within_its_organization(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let (one, other) = (world.organization("A").await, world.organization("B").await);
    for (org, name) in [(&one, "ours"), (&other, "canary")] {
        let module_type = world.module_type(org, "T", &["power"]).await;
        let site = world.site(org, &format!("{name}-site")).await;
        world.module(&site, &module_type, &format!("{name}-module")).await;
    }
    let id = report(&world.root, &one, json!({})).await;
    let run = made(&world, &world.root, &id, "2026-01-05").await;
    let file = fetched(&world.root, &run).await.expect(200);
    assert!(file.text.contains("ours-module") && !file.text.contains("canary"), "{}", file.text);
}

pub async fn those_are_told_who_may_fetch_it(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let (ada, admin) = world.member(&org, "ada", "admin").await;
    let (bob, _) = world.member(&org, "bob", "member").await;
    let (eve, _) = world.member(&org, "eve", "admin").await;
    let (outsider, _) = world.user("outsider").await;
    let recipients = json!({ "recipients": [ada, bob, eve] });
    let mut body = json!({ "organization_id": org, "name": "Weekly", "period": "week", "format": "pdf" });
    body["recipients"] = json!([ada, outsider]);
    assert_eq!(admin.post("/api/v1/reports", body).await.expect(422).faults(), ["recipients[1]"]);
    let id = report(&admin, &org, recipients).await;
    world.root.delete(&format!("/api/v1/organizations/{org}/users/{eve}")).await.expect(200);
    let run = made(&world, &admin, &id, "2014-W13").await;
    let of = |user: &str| format!("report:{}:{user}", run["id"].as_str().expect("an id"));
    let mail = world.platform.mail();
    let system = crate::jobs::system();
    let state = async |user: &str| {
        let delivery = mail.find(&system, &of(user)).await.expect("a delivery");
        (delivery.state.name(), delivery.last_error, delivery.attachment.is_some())
    };
    assert_ne!(state(&ada).await.0, "suppressed");
    assert!(state(&ada).await.2, "with the file");
    let (suppressed, why, _) = state(&bob).await;
    assert_eq!(
        (suppressed, why.as_deref()),
        ("suppressed", Some("he is a regular member, who sees no reports but his own"))
    );
    let (suppressed, why, _) = state(&eve).await;
    assert_eq!(
        (suppressed, why.as_deref()),
        ("suppressed", Some("he is no longer a member of the organization"))
    );
}

pub async fn three_recipients_get_the_file_by_mail(backend: Arc<Backend>) {
    let sink = SmtpSink::start().await;
    let world = World::with(&backend, &[("SITEWATCH_SMTP_URL", &sink.url(""))]).await;
    let org = world.organization("A").await;
    let mut recipients = Vec::new();
    for name in ["ada", "bob", "eve"] {
        recipients.push(world.member(&org, name, "admin").await.0);
    }
    let id = report(&world.root, &org, json!({ "recipients": recipients, "format": "pdf" })).await;
    made(&world, &world.root, &id, "2014-03").await;
    let jobs = world.root.get("/api/v1/jobs?kind=mail.send.v1").await.expect(200).data();
    for job in jobs.as_array().expect("jobs") {
        let id = job["id"].as_str().expect("an id");
        work_with(&world, registry(), WorkerSettings::default(), id, "succeeded").await;
    }
    let arrived = sink.arrived();
    let to: BTreeSet<&str> = arrived.iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!((arrived.len(), to.len()), (3, 3));
    for mail in &arrived {
        assert!(mail.text.contains("application/pdf") && mail.text.contains("2014-03.pdf"), "{}", mail.to);
        // The first bytes of a PDF in base64.
        assert!(mail.text.contains("JVBERi0xLj"), "{}", mail.to);
    }
}

pub async fn who_lost_access_before_the_mail_went_gets_none(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let (ada, _) = world.member(&org, "ada", "admin").await;
    let (eve, _) = world.member(&org, "eve", "admin").await;
    let id = report(&world.root, &org, json!({ "recipients": [ada, eve] })).await;
    let job = world.root.post(&format!("/api/v1/reports/{id}/run"), json!({ "period": "2014-03-30" })).await;
    let only = |lane| {
        let lanes = vec![(lane, LaneSettings { concurrency: 1, prefetch: 1 })];
        WorkerSettings { lanes, ..WorkerSettings::default() }
    };
    work_with(&world, registry(), only(Lane::Reports), &job.expect(202).id(), "succeeded").await;
    world.root.delete(&format!("/api/v1/organizations/{org}/users/{eve}")).await.expect(200);
    let mails = world.root.get("/api/v1/jobs?kind=mail.send.v1").await.expect(200).data();
    let mails: Vec<&str> =
        mails.as_array().expect("jobs").iter().filter_map(|job| job["id"].as_str()).collect();
    assert_eq!(mails.len(), 2);
    for job in mails {
        work_with(&world, registry(), only(Lane::Mail), job, "succeeded").await;
    }
    let run = newest_run(&world.root, &id).await;
    for (user, state, attachment) in [(&ada, "sent", true), (&eve, "suppressed", false)] {
        let key = format!("report:{}:{user}", run["id"].as_str().expect("an id"));
        let delivery = world.platform.mail().find(&crate::jobs::system(), &key).await.expect("a delivery");
        assert_eq!(delivery.state.name(), state);
        assert_eq!(delivery.last_error.is_none(), attachment, "{:?}", delivery.last_error);
    }
}

pub async fn hostile_names_are_harmless(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let names = [
        "=cmd|' /C calc'!A0".to_owned(),
        "../../etc/passwd".to_owned(),
        "<script>alert(1)</script>".to_owned(),
        "\u{202e}fdp.exe".to_owned(),
        "👩".repeat(200),
    ];
    let org = world.organization("<b>A</b>").await;
    let module_type = world.module_type(&org, "T", &["power"]).await;
    for (index, name) in names.iter().enumerate() {
        let site = world.site(&org, name).await;
        let body =
            json!({ "name": name, "module_type_id": module_type, "serial_number": format!("{index}") });
        world.root.post(&format!("/api/v1/sites/{site}/modules"), body).await.expect(201);
        for format in ["csv", "html", "xlsx", "pdf"] {
            let id =
                report(&world.root, &org, json!({ "name": name, "format": format, "site_id": site })).await;
            let run = made(&world, &world.root, &id, "2026-01-01").await;
            let file = fetched(&world.root, &run).await.expect(200);
            assert!(file.header("content-disposition").is_ascii());
            let saved = run["file"]["name"].as_str().expect("a name");
            assert!(!saved.contains(['/', '\\', '<', '|', '\u{202e}']) && saved.ends_with(format), "{saved}");
            match format {
                "csv" => assert!(!file.text.contains("\"=") && !file.text.contains(",="), "{}", file.text),
                "html" => {
                    assert!(!file.text.contains("<script") && !file.text.contains("<b>A"), "{}", file.text);
                }
                _ => {}
            }
        }
    }
}

pub async fn a_schedule_follows_its_report(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let (_, member) = world.member(&org, "ada", "member").await;
    for odd in ["* * * * *", "often", "61 * * * *"] {
        let body =
            json!({ "organization_id": org, "name": "R", "period": "day", "format": "csv", "schedule": odd });
        assert_eq!(member.post("/api/v1/reports", body).await.expect(422).faults(), ["schedule"], "{odd}");
    }
    let id = report(&member, &org, json!({ "period": "day", "schedule": "30 6 * * *" })).await;
    let system = crate::jobs::system();
    // How often it has been started, once it was looked at so many days from now. The program has schedules of its own.
    let started_by = async |days: u64| {
        let at = world.platform.now().plus(std::time::Duration::from_hours(24 * days));
        world.platform.schedules().tick_at(&system, at).await.expect("a look");
        world.root.get("/api/v1/jobs?kind=reports.start.v1").await.expect(200).json()["meta"]["total"].clone()
    };
    assert_eq!(started_by(2).await, 1, "the slots of two days are made up for by one job");
    let jobs = member.get("/api/v1/jobs?kind=reports.start.v1").await.expect(200).data();
    assert_eq!(jobs[0]["organization_id"], json!(org), "it is the member's own");
    let start = jobs[0]["id"].as_str().expect("an id");
    work_with(&world, registry(), WorkerSettings::default(), start, "succeeded").await;
    let run = newest_run(&member, &id).await;
    work_with(
        &world,
        registry(),
        WorkerSettings::default(),
        run["job_id"].as_str().expect("an id"),
        "succeeded",
    )
    .await;
    let run = newest_run(&member, &id).await;
    assert_eq!(run["state"], "succeeded");
    // The slot at 06:30 is that of two days ahead or of the day before, and the day before that is what was complete at it.
    let slot = world.platform.now().plus(std::time::Duration::from_mins(60 * 48 - 390));
    let day_before = slot.minus(std::time::Duration::from_hours(24)).to_string();
    assert_eq!(
        run["period"],
        day_before[..10],
        "the day that was complete at the slot, not when the job ran"
    );
    // Whatever ends the report ends its schedule.
    member.delete(&format!("/api/v1/reports/{id}")).await.expect(200);
    assert_eq!(started_by(10).await, 1, "it is archived");
    member.act(&format!("/api/v1/reports/{id}/restore")).await.expect(404);
    world.root.act(&format!("/api/v1/reports/{id}/restore")).await.expect(200);
    assert_eq!(started_by(20).await, 2);
    member.patch(&format!("/api/v1/reports/{id}"), json!({ "schedule": null })).await.expect(200);
    assert_eq!(started_by(30).await, 2);
}

pub async fn a_run_is_about_a_day_a_week_or_a_month(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let id = report(&world.root, &org, json!({ "period": "week" })).await;
    let path = format!("/api/v1/reports/{id}/run");
    for odd in [
        "2014",
        "2004/2014",
        "2004-01-01/2014-01-01",
        "P10Y",
        "2014-3",
        "2014-W60",
        "2014-02-30",
        "last month",
        "",
        "2999-01",
        "1999-12",
    ] {
        let answer = world.root.post(&path, json!({ "period": odd })).await.expect(422);
        assert_eq!(answer.faults(), ["period"], "{odd}");
    }
    for good in ["2014-03", "2014-W13", "2014-03-30"] {
        assert_eq!(made(&world, &world.root, &id, good).await["period"], good);
    }
    world.root.act(&path).await.expect(202);
    let waiting = newest_run(&world.root, &id).await;
    assert_eq!((&waiting["state"], &waiting["file"]), (&json!("queued"), &Value::Null));
    assert!(waiting["period"].as_str().expect("a label").contains("-W"), "{waiting}");
    let job = waiting["job_id"].as_str().expect("an id");
    world.root.act(&format!("/api/v1/jobs/{job}/cancel")).await.expect(200);
    assert_eq!(newest_run(&world.root, &id).await["state"], "failed", "nobody works on it");
    let both = json!({ "site_id": job, "module_id": job });
    assert_eq!(
        world.root.patch(&format!("/api/v1/reports/{id}"), both).await.expect(422).faults(),
        ["module_id"]
    );
}

pub async fn what_waits_is_not_asked_for_twice_and_is_bounded(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let (_, ada) = world.member(&org, "ada", "member").await;
    let (_, bob) = world.member(&org, "bob", "admin").await;
    let id = report(&ada, &org, json!({})).await;
    let ask = async |client: &Client, period: &str| {
        client.post(&format!("/api/v1/reports/{id}/run"), json!({ "period": period })).await
    };
    let (first, again) = tokio::join!(ask(&ada, "2014-03"), ask(&ada, "2014-03"));
    let first = first.expect(202).id();
    assert_eq!(again.expect(202).id(), first, "both clicks are one run");
    assert_eq!(ask(&bob, "2014-03").await.expect(202).id(), first, "he sees what she asked for");
    let by_bob = ask(&bob, "2014-04").await.expect(202).id();
    assert_ne!(ask(&ada, "2014-04").await.expect(202).id(), by_bob, "a member sees no jobs but her own");
    for day in 1..=18 {
        ask(&ada, &format!("2014-03-{day:02}")).await.expect(202);
    }
    let refused = ask(&ada, "2014-05").await.expect(429);
    assert!(refused.header("retry-after").parse::<u64>().expect("seconds") > 0);
    ask(&ada, "2014-04").await.expect(202);
    ask(&bob, "2014-05").await.expect(202);
    // What many wait for is made in turn: the rest of hers waits behind his.
    let database = Database::connect(world.database_url()).await.expect("a connection");
    let sql = "SELECT count(*) FROM jobs WHERE kind = 'reports.build.v1' AND priority > \
               (SELECT priority FROM jobs WHERE kind = 'reports.build.v1' ORDER BY created_at DESC, id DESC LIMIT 1)";
    let sql = Statement::from_string(database.get_database_backend(), sql);
    let behind = database.query_one_raw(sql).await.expect("an answer").expect("a row");
    assert_eq!(behind.try_get_by_index::<i64>(0).expect("a count"), 17);
    // What a schedule asked for takes nobody's place.
    database
        .execute_unprepared("UPDATE jobs SET request_id = NULL WHERE kind = 'reports.build.v1'")
        .await
        .expect("changed");
    ask(&ada, "2014-06").await.expect(202);

    let made = work_with(&world, registry(), WorkerSettings::default(), &first, "succeeded").await;
    let result = &made["result"];
    assert_eq!(result["report_id"], id);
    let file = ada.get(result["file"]["href"].as_str().expect("a path")).await.expect(200);
    assert_eq!(json!(file.bytes.len()), result["file"]["size"]);
    let run =
        ada.get(&format!("/api/v1/reports/{id}/runs/{}", result["run_id"].as_str().expect("an id"))).await;
    assert_eq!(run.expect(200).data()["file"]["sha256"], result["file"]["sha256"]);
    assert_ne!(ask(&ada, "2014-03").await.expect(202).id(), first, "what was made is made anew");
}

pub async fn who_has_left_asks_for_nothing_more(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let (ada, member) = world.member(&org, "ada", "member").await;
    let id = report(&member, &org, json!({ "schedule": "0 1 1 * *" })).await;
    let start = async || {
        let job = StartReport { report: id.parse().expect("an id"), slot: None };
        world.platform.jobs().enqueue(&system(), &job, When::Now).await.expect("written");
        let waiting =
            world.root.get("/api/v1/jobs?kind=reports.start.v1&state=ready").await.expect(200).data();
        let job = waiting[0]["id"].as_str().expect("an id");
        work_with(&world, registry(), WorkerSettings::default(), job, "succeeded").await
    };
    assert!(start().await["result"]["run_id"].is_string());
    let asked = member.post(&format!("/api/v1/reports/{id}/run"), json!({ "period": "2014-03" })).await;
    let asked = asked.expect(202).id();
    member.get(&format!("/api/v1/jobs/{asked}")).await.expect(200);
    world.root.delete(&format!("/api/v1/organizations/{org}/users/{ada}")).await.expect(200);
    let told = start().await;
    let run = newest_run(&world.root, &id).await;
    assert_eq!((&run["id"], &run["state"]), (&told["result"]["run_id"], &json!("failed")), "{told}");
    assert!(run["error"].as_str().expect("a reason").contains("owner"), "{run}");
    let builds = world.root.get("/api/v1/jobs?kind=reports.build.v1").await.expect(200).data();
    assert_eq!(builds.as_array().expect("jobs").len(), 2, "those that were asked for while she was there");
    // Neither do his old jobs tell him of the organization any more.
    member.get(&format!("/api/v1/jobs/{asked}")).await.expect(404);
    assert_eq!(member.get("/api/v1/jobs").await.expect(200).data(), json!([]));
    member.act(&format!("/api/v1/jobs/{asked}/retry")).await.expect(404);
}

pub async fn a_schedule_keeps_the_calendar_of_its_place(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let kind = world.module_type(&org, "T", &["power"]).await;
    let (site, other) = (world.site(&org, "S").await, world.site(&org, "O").await);
    let module = world.module(&site, &kind, "M").await;
    let scheduled = json!({ "period": "day", "schedule": "30 6 * * *" });
    let with = |place: &str, id: &str| {
        let mut body = scheduled.clone();
        body[place] = json!(id);
        body
    };
    let of_org = report(&world.root, &org, scheduled.clone()).await;
    let of_site = report(&world.root, &org, with("site_id", &site)).await;
    let of_module = report(&world.root, &org, with("module_id", &module)).await;
    let database = Database::connect(world.database_url()).await.expect("a connection");
    let zones = async || {
        let mut zones = Vec::new();
        for report in [&of_org, &of_site, &of_module] {
            let sql = format!("SELECT zone FROM schedules WHERE name = 'report:{report}'");
            let row =
                database.query_one_raw(Statement::from_string(database.get_database_backend(), sql)).await;
            let row = row.expect("an answer").expect("a schedule");
            zones.push(row.try_get_by_index::<String>(0).expect("a zone"));
        }
        zones
    };
    let change = async |path: String, zone: &str| {
        world.root.patch(&path, json!({ "timezone": zone })).await.expect(200);
    };
    change(format!("/api/v1/organizations/{org}"), "Asia/Tokyo").await;
    change(format!("/api/v1/sites/{site}"), "America/Lima").await;
    assert_eq!(zones().await, ["Asia/Tokyo", "America/Lima", "America/Lima"]);
    change(format!("/api/v1/sites/{other}"), "Asia/Kolkata").await;
    let moved = json!({ "site_id": other });
    world.root.post(&format!("/api/v1/modules/{module}/move"), moved).await.expect(200);
    assert_eq!(zones().await, ["Asia/Tokyo", "America/Lima", "Asia/Kolkata"]);
}
