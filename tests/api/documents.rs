//! What documents tell users to type is understood by the programs.

use std::{fs, path::Path, process::Command, sync::Arc};

use sitewatch_tests::{
    processes::{sitewatch_api, sitewatch_worker},
    world::Backend,
};

/// The words of a command after the name of its program: those that name what is to be done, and its flags.
fn words_of(command: &str) -> (Vec<&str>, Vec<&str>) {
    let words = command
        .split_whitespace()
        .take_while(|word| !word.starts_with(['#', '|', '`', '>']) && *word != "\\");
    let is_verb = |word: &&str| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
    };
    let (mut verbs, mut flags, mut is_named) = (Vec::new(), Vec::new(), false);
    for word in words.skip_while(|word| *word == "--") {
        match word.strip_prefix("--") {
            Some(_) => flags.push(word.split('=').next().unwrap_or(word)),
            None if !is_named && flags.is_empty() && is_verb(&word) => verbs.push(word),
            // What is given to it: a file, an id, the value of a flag.
            None => is_named = true,
        }
    }
    (verbs, flags)
}

/// What is said to a program in a document, each up to the end of its line or of its quotation.
fn said_to<'a>(program: &'a str, text: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().flat_map(move |line| {
        let is_fenced = line.trim_start().starts_with(program) || line.contains("cargo run");
        let parts: Vec<&str> =
            if is_fenced { vec![line] } else { line.split('`').skip(1).step_by(2).collect() };
        parts
            .into_iter()
            .filter_map(move |part| part.split_once(&format!("{program} ")).map(|(_, rest)| rest))
    })
}

/// Why a program does not understand this; `None` if it does.
fn misunderstood(mut program: Command, command: &str) -> Option<String> {
    let (verbs, flags) = words_of(command);
    let output = program.args(&verbs).arg("--help").output().expect("a program that starts");
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Some(format!("{command}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let known: Vec<&str> = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).collect();
    let unknown = flags.iter().find(|flag| !known.contains(flag))?;
    Some(format!("{command}: no {unknown} in {text}"))
}

pub async fn the_programs_understand_what_documents_say(_backend: Arc<Backend>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut documents = vec![root.join("README.md")];
    let entries = fs::read_dir(root.join("docs")).expect("documents");
    documents.extend(
        entries
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|found| found == "md")),
    );
    let (mut faults, mut count) = (Vec::new(), 0);
    for document in documents {
        let text = fs::read_to_string(&document).expect("a document");
        for (name, program) in
            [("sitewatch-api", sitewatch_api as fn() -> Command), ("sitewatch-worker", sitewatch_worker)]
        {
            for command in said_to(name, &text) {
                count += 1;
                faults.extend(
                    misunderstood(program(), command).map(|why| format!("{}: {why}", document.display())),
                );
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(count > 30, "{count} commands");
    for wrong in ["migrat up", "migrate sideways", "import-users users.csv --dry", "jobs list"] {
        assert!(misunderstood(sitewatch_api(), wrong).is_some(), "{wrong}");
    }
}
