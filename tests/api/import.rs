//! The command that imports files, against a running server.

use std::{fs, net::TcpListener, path::Path, process::Output, sync::Arc, time::Duration};

use serde_json::Value;
use sitewatch_tests::{
    processes::sitewatch_api,
    world::{Backend, World},
};

/// What a run of the command may take at most.
const PATIENCE: Duration = Duration::from_secs(30);

async fn import(url: &str, token: &str, file: &Path, arguments: &[&str]) -> Output {
    let mut command = tokio::process::Command::from(sitewatch_api());
    command.arg("import").arg(file).args(["--url", url]).args(arguments).env("SITEWATCH_TOKEN", token);
    let output = tokio::time::timeout(PATIENCE, command.kill_on_drop(true).output()).await;
    output.expect("an import that ends").expect("the command runs")
}

fn summary(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub async fn a_file_is_imported_and_imported_again(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let kind = world.module_type(&org, "T", &["power", "wind"]).await;
    let site = world.site(&org, "S").await;
    let module = world.module(&site, &kind, "T1").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scada.csv");
    let text = "turbine;time;P;W;note\n\
                T1;2020-01-01T00:00:00+01:00;1.5;7;fine\n\
                T1;2020-01-01T00:10:00+01:00;;8;\n\
                T1;2020-01-01T00:20:00+01:00;high;9;\n\
                T9;2020-01-01T00:00:00+01:00;1;1;\n";
    fs::write(&file, text).unwrap();
    let arguments = [
        "--json",
        "--module-column",
        "turbine",
        "--time-column",
        "time",
        "--map",
        "P=power",
        "--map",
        "W=wind",
        "--delimiter",
        ";",
    ];
    let first = import(&world.base, world.root.token(), &file, &arguments).await;
    assert!(first.status.success(), "{first:?}");
    let counted = summary(&first);
    assert_eq!((&counted["accepted"], &counted["empty"]), (&4.into(), &1.into()), "{counted}");
    let rejected: u64 = counted["rejected"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!(rejected, 3, "{counted}");
    let again = summary(&import(&world.base, world.root.token(), &file, &arguments).await);
    assert_eq!((&again["accepted"], &again["duplicate"]), (&0.into(), &4.into()), "{again}");
    let stored = world.root.get(&format!("/api/v1/modules/{module}/readings")).await.expect(200).data();
    assert_eq!(stored.as_array().unwrap().len(), 4);
}

/// Nothing of it can be stored, each row for a reason of its own; the summary is there all the same.
pub async fn a_file_of_bad_rows_is_told_row_by_row(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let kind = world.module_type(&org, "T", &["power"]).await;
    let site = world.site(&org, "S").await;
    world.module(&site, &kind, "T1").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.csv");
    fs::write(&file, "m,time,power\nT1,yesterday,1\nT9,2020-01-01T00:00:00Z,1\nT9,2020-01-01T00:00:01Z,1\nT1,2020-01-01T00:00:00Z,1,5\n")
        .unwrap();
    let arguments = ["--json", "--module-column", "m", "--time-column", "time"];
    let output = import(&world.base, world.root.token(), &file, &arguments).await;
    assert!(!output.status.success());
    let rejected = summary(&output)["rejected"].as_object().unwrap().clone();
    let mut counts: Vec<u64> = rejected.values().filter_map(Value::as_u64).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 1, 2], "{rejected:?}");
}

/// Without `--url` it is the server of the settings.
pub async fn an_import_finds_the_server_of_the_settings(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let kind = world.module_type(&org, "T", &["power"]).await;
    let site = world.site(&org, "S").await;
    world.module(&site, &kind, "T1").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.csv");
    fs::write(&file, "m,time,power\nT1,2020-01-01T00:00:00Z,1\nT1,yesterday,1\n").unwrap();
    let address = world.base.strip_prefix("http://").unwrap();
    let run = async |arguments: &[&str]| {
        let mut command = tokio::process::Command::from(sitewatch_api());
        command.arg("import").arg(&file).args(["--json", "--module-column", "m", "--time-column", "time"]);
        command.args(arguments).env("SITEWATCH_TOKEN", world.root.token()).env("SITEWATCH_BIND", address);
        command.current_dir(folder.path()).kill_on_drop(true).output().await.expect("the command runs")
    };
    let dry = run(&["--dry-run"]).await;
    assert_eq!(summary(&dry)["rejected"]["not_a_time"], 1, "{dry:?}");
    let imported = run(&[]).await;
    assert_eq!(summary(&imported)["accepted"], 1, "{imported:?}");
}

pub async fn mistakes_of_an_import_are_told(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.csv");
    fs::write(&file, "m,time,a,b\nT1,2020-01-01T00:00:00Z,1,2\n").unwrap();
    let latin = folder.path().join("latin.csv");
    fs::write(&latin, b"m,time,a\nM\xfc1,2020-01-01T00:00:00Z,1\n").unwrap();
    let columns = ["--module-column", "m", "--time-column", "time"];
    let open = folder.path().join("open.csv");
    fs::write(
        &open,
        "m,time,a\nT1,2020-01-01T00:00:00Z,1\n\"T1,2020-01-01T00:00:00Z,1\nT1,2020-01-02T00:00:00Z,1\n",
    )
    .unwrap();
    let cases: [(&Path, &[&str], &str); 8] = [
        (&open, &[], "opens in line 3 is never closed"),
        (&file, &["--map", "a=x", "--map", "a=y"], "the column a twice"),
        (&file, &["--map", "a=x", "--map", "b=x"], "the metric x two columns"),
        (&file, &["--map", "time=x"], "holds the time or the module"),
        (&file, &["--map", "=x"], "COLUMN=METRIC"),
        (&file, &["--delimiter", "\u{2192}"], "one ASCII character"),
        (&file, &["--map", "c=x"], "no column c; its columns are m, time, a, b"),
        (&latin, &[], "line 2 is not UTF-8"),
    ];
    for (file, arguments, sentence) in cases {
        let output = import(&world.base, world.root.token(), file, &[&columns, arguments].concat()).await;
        assert!(
            !output.status.success() && told(&output).contains(sentence),
            "{arguments:?}: {}",
            told(&output)
        );
    }
    let expired = import(&world.base, "not.a.token", &file, &columns).await;
    assert!(told(&expired).contains("already counts as a duplicate"), "{}", told(&expired));
    // A port that nobody listens on: found out at once, not after minutes of trying.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = format!("http://127.0.0.1:{port}");
    let began = tokio::time::Instant::now();
    let output = import(&nobody, "t", &file, &columns).await;
    assert!(told(&output).contains(&nobody), "{}", told(&output));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
