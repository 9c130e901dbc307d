//! The files of a report in every format, held against a plain computation over the same readings, also as other programs read them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Cursor, Write as _},
    path::Path,
    process::Command,
    sync::Arc,
};

use calamine::{Data, Reader as _, Xlsx};
use serde_json::json;
use sitewatch_tests::{
    client::Answer,
    world::{Backend, World},
};

use crate::{
    demo,
    reports::{fetched, made, report},
};

/// The turbines of the sample.
const TURBINES: [&str; 4] = ["R80711", "R80721", "R80736", "R80790"];

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
