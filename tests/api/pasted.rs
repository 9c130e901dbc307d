//! Every command of the documents, pasted into a shell on an installation of its own. What they leave open (`…`, an id) is filled in.

use std::{fs, path::Path, process::Command, sync::Arc};

use serde_json::json;
use sitewatch_tests::{
    client::Client, ports::free_port, postgres::DatabaseCopy, processes::sitewatch_api, world::Backend,
};

use crate::commands::{Fresh, ended};

const EMAIL: &str = "you@example.org";
const PASSWORD: &str = "plum tandem gravel";

/// A document, what somebody has done before who reads it, and what he puts in for what it leaves open.
struct Document {
    name: &'static str,
    before: &'static str,
    filled_in: &'static [(&'static str, &'static str)],
}

impl Document {
    const fn as_it_is(name: &'static str) -> Self {
        Self { name, before: "", filled_in: &[] }
    }
}

/// All that have commands.
const DOCUMENTS: [Document; 15] = [
    Document {
        name: "README.md",
        before: "",
        filled_in: &[
            // Another build of the same program.
            ("cargo run --release --bin sitewatch-api --", "sitewatch-api"),
            ("--email you@example.org", "--email second@example.org --password-file password"),
        ],
    },
    Document::as_it_is("CONTRIBUTING.md"),
    Document::as_it_is("docs/api-keys.md"),
    Document {
        name: "docs/api.md",
        before: "",
        filled_in: &[(r#""password":"…""#, r#""password":"plum tandem gravel""#)],
    },
    Document {
        name: "docs/authentication.md",
        before: r##"
            token_of_the_mail() {
              until grep -qs '#token=' data/mail/*.eml; do sleep 0.1; done
              python3 -c 'import email, email.policy, glob, re
for name in glob.glob("data/mail/*.eml"):
    mail = email.message_from_file(open(name), policy=email.policy.default)
    print(*set(re.findall("#token=([^\\s<>]+)", mail.get_body(("plain",)).get_content())), sep="", end="")'
            }"##,
        filled_in: &[("TOKEN=…", "TOKEN=$(token_of_the_mail)")],
    },
    Document::as_it_is("docs/configuration.md"),
    Document {
        name: "docs/importing-users.md",
        before: r#"
            printf 'email,full_name,organization\nada@example.org,Ada King,wind-and-sun\n' > users.csv
            printf 'email,full_name\nbob@example.org,Bob\n' > others.csv
            if [ -n "$OLD" ]; then
              psql() { PGOPTIONS='-c search_path=old' command psql "$@"; }
              psql -q "$OLD" -c "CREATE SCHEMA old; CREATE TABLE users (email text, full_name text, hashed_password text, is_superuser bool, is_active bool);
                INSERT INTO users VALUES ('eve@example.org', 'Eve', NULL, false, true), ('mallory@example.org', 'Mallory', NULL, false, false)"
            else
              # Without PostgreSQL there is nobody to take over.
              psql() { printf 'email,full_name,password_hash,is_superuser\neve@example.org,Eve,,f\n' > users.csv; }
            fi"#,
        filled_in: &[("users.csv --atomic", "others.csv --atomic")],
    },
    Document {
        name: "docs/importing.md",
        before: r"
            printf 'Wind_turbine_name,Date_time,P_avg,Ws_avg\nR80711,2014-03-28T00:00:00+01:00,146.84,5.63\n' > scada.csv
            printf 'time\tpower\n2014-03-28T00:00:00+01:00\t1\n' > roof.csv",
        filled_in: &[("SITEWATCH_TOKEN=…", "SITEWATCH_TOKEN=$ACCESS")],
    },
    Document {
        name: "docs/jobs.md",
        before: r#"
            curl -s $BASE/api/v1/auth/password/forgot -H 'Content-Type: application/json' -d '{"email":"you@example.org"}'
            job() { sitewatch-worker jobs list --lane mail --json | python3 -c 'import json,sys; print(json.loads(sys.stdin.readline() or "{}").get("id", ""))'; }
            until [ -n "$(job)" ]; do sleep 0.1; done
            JOB=$(job)
            # It waits for another try, since nobody takes its mail.
            until sitewatch-worker jobs cancel $JOB; do sleep 0.1; done"#,
        filled_in: &[("01a20cf5-ab7b-7333-8466-f469930d0b65", "$JOB")],
    },
    Document::as_it_is("docs/mail.md"),
    Document {
        name: "docs/operations.md",
        before: "cp data/audit-checkpoints.jsonl copy.jsonl",
        filled_in: &[("--organization ID", "--organization $ORG")],
    },
    Document {
        name: "docs/reports.md",
        before: "",
        filled_in: &[
            ("ORG=…", ""),
            ("s3://reports/of/sitewatch?region=eu-central-1&endpoint=https://store.example.org", ""),
            ("KEY_ID=…  SITEWATCH", "KEY_ID=x SITEWATCH"),
        ],
    },
    Document {
        name: "docs/rollups.md",
        before: "",
        filled_in: &[("--organization ID", "--organization $ORG"), ("--module ID", "--module $MODULE")],
    },
    Document::as_it_is("docs/testing.md"),
    Document::as_it_is("docs/upgrading.md"),
];

/// What runs these commands is the run that this test is a part of.
fn is_of_the_run(line: &str) -> bool {
    line.starts_with("make ") || line.starts_with("cargo test ")
}

/// The lines between ```` ```sh ```` and the end of such a block, of all blocks.
fn commands_of(text: &str) -> String {
    let mut is_command = false;
    let mut found = String::new();
    for line in text.lines() {
        let line = line.trim_end();
        match line.trim_start() {
            "```sh" => is_command = true,
            "```" => is_command = false,
            command if is_command && !is_of_the_run(command) => {
                found.push_str(line);
                found.push('\n');
            }
            _ => {}
        }
    }
    found
}

fn text_of(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    fs::read_to_string(root.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// An organization with a module that has a serial number, and another; and what the shell knows of it.
async fn plant(client: &Client) -> Vec<(&'static str, String)> {
    let org = client.post("/api/v1/organizations", json!({ "name": "Wind and Sun" })).await.expect(201).id();
    for key in ["power", "wind_speed"] {
        let metric = json!({ "organization_id": org, "key": key, "name": key });
        client.post("/api/v1/metrics", metric).await.expect(201);
    }
    let kind = json!({ "organization_id": org, "name": "Turbine", "metrics": ["power", "wind_speed"] });
    let kind = client.post("/api/v1/module-types", kind).await.expect(201).id();
    let sites = format!("/api/v1/organizations/{org}/sites");
    let site = client.post(&sites, json!({ "name": "S" })).await.expect(201).id();
    let mut module = String::new();
    for serial in ["R80711", "SN-2041"] {
        let made = json!({ "name": serial, "serial_number": serial, "module_type_id": kind });
        module = client.post(&format!("/api/v1/sites/{site}/modules"), made).await.expect(201).id();
    }
    let member = json!({ "user_id": client.get("/api/v1/auth/me").await.expect(200).id(), "role": "admin" });
    client.post(&format!("/api/v1/organizations/{org}/users"), member).await.expect(201);
    vec![("ORG", org), ("MODULE", module)]
}

/// What the shell does for everything that is pasted: whatever fails ends it, also an answer that says that something is wrong.
const SHELL: &str = r#"set -Eeuo pipefail
PATH=$PROGRAMS:$PATH
trap 'echo "failed: $BASH_COMMAND" >&2' ERR
curl() { command curl --fail-with-body "$@"; }
"#;

/// Pastes the commands of one document.
async fn paste(document: &Document, backend: &Backend) {
    let Document { name, before, filled_in } = document;
    let mut fresh = Fresh::new(backend).await;
    let management = free_port();
    fresh.set("SITEWATCH_ADMIN_EMAIL", EMAIL);
    fresh.set("SITEWATCH_ADMIN_PASSWORD", PASSWORD);
    fresh.set("SITEWATCH_MANAGEMENT_BIND", &format!("127.0.0.1:{management}"));
    // Nobody pastes as fast as this does.
    fresh.set("SITEWATCH_RATE_LIMITS", "off");
    if *name == "docs/jobs.md" {
        fresh.set("SITEWATCH_SMTP_URL", &format!("smtp://127.0.0.1:{}", free_port()));
    }
    let _server = fresh.serve().await;
    let client = Client::anonymous(fresh.base()).login(EMAIL, PASSWORD).await;
    let planted = plant(&client).await;
    fs::write(fresh.folder().join("password"), PASSWORD).expect("a file");

    let mut commands = commands_of(&text_of(name));
    for (open, filled_in) in *filled_in {
        assert!(commands.contains(open), "{name}: {open} is not left open any more");
        commands = commands.replace(open, filled_in);
    }
    let commands = commands
        .replace("MODULE=…", "")
        .replace("http://127.0.0.1:8080", &fresh.base())
        .replace("127.0.0.1:9090", &format!("127.0.0.1:{management}"));
    assert!(!commands.contains('…'), "{name} leaves something open: {commands}");

    let old: Option<DatabaseCopy> = backend.database().await;
    let mut shell = Command::new("bash");
    let programs = sitewatch_api().get_program().to_owned();
    let programs = Path::new(&programs).parent().expect("the folder of the programs").display().to_string();
    shell
        .envs(fresh.command("").get_envs().filter_map(|(name, value)| Some((name, value?))))
        .envs(planted)
        .env("PROGRAMS", programs)
        .env("BASE", fresh.base())
        .env("ACCESS", client.token())
        .env("OLD", old.as_ref().map(DatabaseCopy::url).unwrap_or_default())
        .env("no_proxy", "*")
        .args(["-c", &[SHELL, before, "\n", &commands].concat()])
        .current_dir(fresh.folder());
    let output = ended(shell).await;
    let told = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{name}: {}\n{}", output.status, String::from_utf8_lossy(&told));
}

/// Each does what its document says it does, as far as a shell can tell: it ends well.
pub async fn the_commands_of_the_documents_work(backend: Arc<Backend>) {
    for document in &DOCUMENTS {
        paste(document, &backend).await;
    }
}

/// No document with commands is forgotten.
pub async fn all_documents_with_commands_are_pasted(_backend: Arc<Backend>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut found = vec!["README.md".to_owned(), "CONTRIBUTING.md".to_owned()];
    for entry in fs::read_dir(root.join("docs")).expect("documents") {
        let name = entry.expect("an entry").file_name().into_string().expect("a name");
        if Path::new(&name).extension().is_some_and(|extension| extension == "md") {
            found.push(format!("docs/{name}"));
        }
    }
    found.retain(|name| text_of(name).lines().any(|line| line.trim_start() == "```sh"));
    found.sort();
    let mut known: Vec<_> = DOCUMENTS.iter().map(|document| document.name.to_owned()).collect();
    known.sort();
    assert_eq!(found, known);
}
