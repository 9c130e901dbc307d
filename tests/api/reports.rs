//! Reports: who sees which, what is in their files, who is told.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Cursor, Write as _},
    path::Path,
    process::Command,
    sync::Arc,
};

use calamine::{Data, Reader as _, Xlsx};
use sea_orm::{ConnectionTrait as _, Database, Statement};
use serde_json::{Value, json};
use sitewatch_domain::jobs::Lane;
use sitewatch_jobs::{LaneSettings, WorkerSettings, registry};
use sitewatch_tests::{
    client::{Answer, Client},
    smtp::SmtpSink,
    world::{Backend, World},
};

use crate::{demo, jobs::work_with};

/// The turbines of the sample.
const TURBINES: [&str; 4] = ["R80711", "R80721", "R80736", "R80790"];

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
async fn failed(world: &World, report: &str) -> Value {
    let job = world.root.act(&format!("/api/v1/reports/{report}/run")).await.expect(202).id();
    work_with(world, registry(), WorkerSettings::default(), &job, "dead").await;
    newest_run(&world.root, report).await
}

async fn newest_run(client: &Client, report: &str) -> Value {
    let path = format!("/api/v1/reports/{report}/runs?sort=-created_at");
    client.get(&path).await.expect(200).data()[0].clone()
}

async fn fetched(client: &Client, run: &Value) -> Answer {
    client.get(run["file"]["href"].as_str().expect("a file")).await
}

async fn report(client: &Client, organization: &str, more: Value) -> String {
    let mut body =
        json!({ "organization_id": organization, "name": "R", "period": "month", "format": "csv" });
    for (key, value) in more.as_object().expect("an object") {
        body[key] = value.clone();
    }
    client.post("/api/v1/reports", body).await.expect(201).id()
}

/// The sample's farm in an organization of this name, with power and wind; the organization and the site.
async fn farm(world: &World, name: &str) -> (String, String) {
    let org = world.organization(name).await;
    for (key, unit) in [("P_avg", "kW"), ("Ws_avg", "m/s")] {
        let body = json!({ "organization_id": org, "key": key, "name": key, "unit": unit });
        world.root.post("/api/v1/metrics", body).await.expect(201);
    }
    let body = json!({
        "organization_id": org, "name": "MM82", "metrics": ["P_avg", "Ws_avg"], "expected_interval_s": 600,
    });
    let module_type = world.root.post("/api/v1/module-types", body).await.expect(201).id();
    let site = world.site(&org, "La Haute Borne").await;
    for turbine in TURBINES {
        world.module(&site, &module_type, turbine).await;
    }
    let mut rows = Vec::new();
    for line in demo::lines() {
        for (metric, value) in
            line.values.iter().filter(|(metric, _)| metric == "P_avg" || metric == "Ws_avg")
        {
            rows.push(json!({ "module": line.turbine, "metric": metric, "at": line.local, "value": value }));
        }
    }
    for batch in rows.chunks(5_000) {
        let body = json!({ "organization_id": org, "readings": batch });
        world.root.post("/api/v1/ingest/readings", body).await.expect(200);
    }
    (org, site)
}

/// What a plain computation makes of the lines of March: readings, mean and, of the means of the hours, the energy.
fn plain_march() -> BTreeMap<String, (u64, f64, f64)> {
    let mut moments = BTreeSet::new();
    let mut hours: BTreeMap<(String, String), (f64, u64)> = BTreeMap::new();
    for line in demo::lines() {
        let Some((_, power)) = line.values.iter().find(|(metric, _)| metric == "P_avg") else { continue };
        if line.local.starts_with("2014-03") && moments.insert((line.turbine.clone(), line.utc.clone())) {
            let (sum, count) = hours.entry((line.turbine, line.utc[..13].to_owned())).or_default();
            *sum += power;
            *count += 1;
        }
    }
    let mut plain: BTreeMap<String, (u64, f64, f64)> = BTreeMap::new();
    for ((turbine, _), (sum, count)) in hours {
        let (readings, total, energy) = plain.entry(turbine).or_default();
        *readings += count;
        *total += sum;
        *energy += sum / count as f64;
    }
    for (readings, total, _) in plain.values_mut() {
        *total /= *readings as f64;
    }
    plain
}

/// A number as it was rounded.
fn is_about(text: &str, number: f64) -> bool {
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let parsed: f64 = text.parse().unwrap_or_else(|_| panic!("{text:?} is no number"));
    (parsed - number).abs() <= 0.500_001 * 10_f64.powi(-(decimals as i32))
}

/// Thousands are apart by narrow spaces where people read.
fn grouped(number: f64) -> String {
    let text = format!("{number:.1}");
    let (whole, decimal) = text.split_once('.').expect("a decimal");
    let (thousands, rest) = whole.split_at(whole.len().saturating_sub(3));
    if thousands.is_empty() { text } else { format!("{thousands}\u{202f}{rest}.{decimal}") }
}

pub async fn a_month_of_the_sample_equals_a_plain_computation(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let (org, site) = farm(&world, "La Haute Borne").await;
    let plain = plain_march();
    assert_eq!(plain.len(), 4);
    for format in ["csv", "xlsx", "html", "pdf"] {
        let id = report(&world.root, &org, json!({ "site_id": site, "format": format })).await;
        let run = made(&world, &world.root, &id, "2014-03").await;
        assert_eq!((&run["state"], &run["period"]), (&json!("succeeded"), &json!("2014-03")));
        assert_eq!(
            (&run["from"], &run["to"]),
            (&json!("2014-02-28T23:00:00.000Z"), &json!("2014-03-31T22:00:00.000Z"))
        );
        let file = fetched(&world.root, &run).await.expect(200);
        assert_eq!(run["file"]["size"], file.bytes.len());
        let name = format!("R 2014-03.{format}");
        assert_eq!(run["file"]["name"], name);
        let quoted =
            format!("attachment; filename=\"{name}\"; filename*=UTF-8''{}", name.replace(' ', "%20"));
        assert_eq!(file.header("content-disposition"), quoted);
        assert_eq!(file.header("x-content-type-options"), "nosniff");
        match format {
            "csv" => csv_equals(&file, &plain),
            "xlsx" => workbook_equals(&file, &plain),
            "html" => page_equals(&file, &plain),
            _ => document_equals(&file, &plain),
        }
    }
}

fn csv_equals(file: &Answer, plain: &BTreeMap<String, (u64, f64, f64)>) {
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    let mut reader = csv::Reader::from_reader(file.bytes.as_slice());
    let head = reader.headers().expect("a head").clone();
    let column = |name: &str| head.iter().position(|known| known == name).unwrap_or_else(|| panic!("{name}"));
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    let of_power = |kind: &str, turbine: &str| -> Vec<&csv::StringRecord> {
        let is_wanted = |row: &&csv::StringRecord| {
            &row[column("row")] == kind
                && &row[column("module")] == turbine
                && &row[column("metric")] == "P_avg"
        };
        rows.iter().filter(is_wanted).collect()
    };
    for (turbine, (readings, mean, energy)) in plain {
        let totals = of_power("total", turbine);
        assert_eq!(totals.len(), 1, "{turbine}");
        assert_eq!(&totals[0][column("readings")], readings.to_string().as_str());
        assert_eq!(&totals[0][column("expected_readings")], "4458", "a March of 743 hours");
        assert!(is_about(&totals[0][column("mean")], *mean), "{turbine}: {:?} {mean}", totals[0]);
        assert!(is_about(&totals[0][column("energy_kwh")], *energy), "{turbine}: {:?} {energy}", totals[0]);
        let days = of_power("day", turbine);
        assert_eq!(days.len(), 31);
        let of_days: u64 =
            days.iter().map(|day| day[column("readings")].parse::<u64>().expect("a count")).sum();
        assert_eq!(of_days, *readings);
    }
}

fn workbook_equals(file: &Answer, plain: &BTreeMap<String, (u64, f64, f64)>) {
    let mut workbook: Xlsx<_> = Xlsx::new(Cursor::new(&file.bytes)).expect("a workbook");
    let totals = workbook.worksheet_range("Totals").expect("the totals");
    let head: Vec<String> = totals.rows().next().expect("a head").iter().map(ToString::to_string).collect();
    let column = |name: &str| head.iter().position(|known| known == name).unwrap_or_else(|| panic!("{name}"));
    for (turbine, (_, mean, energy)) in plain {
        let row = totals
            .rows()
            .find(|row| row[column("Module")] == turbine.as_str() && row[column("Metric")] == "P_avg");
        let row = row.expect("a row");
        for (name, number) in [("Mean", mean), ("Energy kWh", energy)] {
            let Data::Float(found) = row[column(name)] else { panic!("{name} is no number: {row:?}") };
            assert!(is_about(&found.to_string(), *number), "{turbine}: {name} {found} {number}");
        }
    }
    assert!(workbook.worksheet_range("Daily").expect("the days").rows().count() > 4 * 31);
    another_program_agrees(file, plain);
}

/// What another program says of a file that lies at the last of its arguments.
fn told_by(program: &str, arguments: &[&str], bytes: &[u8]) -> String {
    // openpyxl goes by the ending.
    let mut file = tempfile::Builder::new().suffix(".xlsx").tempfile().expect("a file");
    file.write_all(bytes).expect("written");
    let output = Command::new(program).args(arguments).arg(file.path()).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}; `make test` installs it"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// The workbook as openpyxl reads it, which knows formulas from texts.
fn another_program_agrees(file: &Answer, plain: &BTreeMap<String, (u64, f64, f64)>) {
    const SCRIPT: &str = "import sys, openpyxl\n\
        book = openpyxl.load_workbook(sys.argv[1])\n\
        cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]\n\
        assert not [cell for cell in cells if cell.data_type == 'f'], 'formulas'\n\
        rows = list(book['Totals'].values)\n\
        module, metric, energy = (rows[0].index(name) for name in ('Module', 'Metric', 'Energy kWh'))\n\
        for row in rows[1:]:\n    \
            if row[metric] == 'P_avg': print(row[module], row[energy])\n";
    // The system's own, which its packages belong to.
    let python = if Path::new("/usr/bin/python3").exists() { "/usr/bin/python3" } else { "python3" };
    let told = told_by(python, &["-c", SCRIPT], &file.bytes);
    let told: BTreeMap<&str, &str> = told.lines().filter_map(|line| line.split_once(' ')).collect();
    for (turbine, (_, _, energy)) in plain {
        assert!(is_about(told[turbine.as_str()], *energy), "{turbine}: {told:?} {energy}");
    }
}

fn document_equals(file: &Answer, plain: &BTreeMap<String, (u64, f64, f64)>) {
    assert_eq!(file.header("content-type"), "application/pdf");
    assert!(file.bytes.starts_with(b"%PDF-1."), "a document");
    let text: String = told_by("sh", &["-c", "pdftotext -layout \"$0\" -"], &file.bytes);
    let text: String = text.split_whitespace().collect();
    let all: f64 = plain.values().map(|(_, _, energy)| energy).sum();
    for energy in plain.values().map(|(_, _, energy)| *energy).chain([all]) {
        // Five digits that count; the blanks between thousands are taken out.
        let digits = if energy < 10_000.0 { format!("{energy:.2}") } else { format!("{energy:.1}") };
        assert!(text.contains(&digits), "{digits} in {text}");
    }
}

fn page_equals(file: &Answer, plain: &BTreeMap<String, (u64, f64, f64)>) {
    assert_eq!(file.header("content-type"), "text/html; charset=utf-8");
    let all: f64 = plain.values().map(|(_, _, energy)| energy).sum();
    assert!(file.text.contains(&grouped(all)), "{} of all turbines", grouped(all));
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
    for odd in ["2014", "2014-3", "2014-W60", "2014-02-30", "last month", "", "2999-01", "1999-12"] {
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
