//! Documents that name tests, settings, commands and programs name some that there are.

use std::{collections::BTreeSet, fs, path::Path};

use crate::workspace::{report, root};

/// How many promises the contract has.
const PROMISES: usize = 64;

fn text_of(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All that stands between backticks in a line.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The sources below a folder, as one text.
fn sources_below(folder: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.push_str(&sources_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push_str(&fs::read_to_string(&path).expect("a source"));
        }
    }
    all
}

/// Whether there is a test of this name: `suite::module::case`, `unit:crate::case`, or else a document.
fn exists(name: &str) -> bool {
    if let Some(rest) = name.strip_prefix("unit:") {
        let (package, case) = rest.split_once("::").expect("a crate and a case");
        return sources_below(&root().join("crates").join(package).join("src"))
            .contains(&format!("fn {case}("));
    }
    let Some((suite, rest)) = name.split_once("::") else { return root().join(name).exists() };
    let folder = root().join("tests").join(suite);
    let (module, case) = rest.split_once("::").expect("a module and a case");
    let is_there = sources_below(&folder).contains(&format!("fn {case}"));
    if suite == "architecture" {
        return is_there && folder.join(format!("{module}.rs")).exists();
    }
    // A suite of a harness of its own runs what its list names.
    let list = fs::read_to_string(folder.join("main.rs")).expect("a suite");
    let is_listed = list.contains(&format!("\"{module}\"")) || list.contains(&format!("\"{module}::"));
    is_there && is_listed && list.contains(case)
}

#[test]
fn every_promise_has_a_test() {
    let text = text_of("docs/contract.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| C"));
    let mut numbers = Vec::new();
    let mut faults = Vec::new();
    for row in rows {
        let (number, rest) = row.split_once(' ').expect("a number");
        numbers.push(number.parse::<usize>().expect("a number"));
        let names: Vec<&str> = quoted(rest.rsplit_once(" | ").expect("three columns").1).collect();
        if names.iter().all(|name| !name.contains("::")) {
            faults.push(format!("C{number} is shown by no test"));
        }
        faults
            .extend(names.into_iter().filter(|name| !exists(name)).map(|name| format!("C{number}: {name}")));
    }
    let expected: Vec<usize> = (1..=PROMISES).collect();
    assert_eq!(numbers, expected, "each promise once, in its order");
    report("These tests of docs/contract.md are nowhere", &faults);
}

/// The documents for users and operators.
fn documents() -> Vec<(String, String)> {
    let mut found = vec![("README.md".to_owned(), text_of("README.md"))];
    for entry in fs::read_dir(root().join("docs")).expect("documents") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "md") {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            found.push((name, fs::read_to_string(&path).expect("a document")));
        }
    }
    found
}

fn words_after<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(before).map(move |(at, _)| {
        let rest = &text[at + before.len()..];
        let end =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-')).unwrap_or(rest.len());
        &rest[..end]
    })
}

#[test]
fn the_documents_name_what_there_is() {
    let settings = sources_below(&root().join("crates/runtime/src")) + &sources_below(&root().join("tests"));
    let makefile = text_of("Makefile");
    let targets: BTreeSet<&str> =
        makefile.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
    let mut faults = Vec::new();
    for (document, text) in documents() {
        for name in words_after(&text, "SITEWATCH_") {
            // A name with an ending that stands for several, or in a file, is that of its beginning.
            let whole = format!("SITEWATCH_{}", name.trim_end_matches("_FILE").trim_end_matches('_'));
            if !settings.contains(&whole) {
                faults.push(format!("{document}: {whole}"));
            }
        }
        for line in text.lines().filter(|line| line.contains('`') || line.starts_with("make ")) {
            let quoted = quoted(line).chain(line.starts_with("make ").then_some(line));
            for target in quoted.filter_map(|command| command.strip_prefix("make ")) {
                let target = target.split_whitespace().next().unwrap_or_default();
                if !targets.contains(target) {
                    faults.push(format!("{document}: make {target}"));
                }
            }
        }
        for part in text.split("](").skip(1) {
            let link = part.split([')', '#']).next().unwrap_or_default();
            let is_file = !link.is_empty() && !link.contains("://");
            let folder = root().join(if document == "README.md" { "" } else { "docs" });
            if is_file && !folder.join(link).exists() {
                faults.push(format!("{document}: {link}"));
            }
        }
    }
    report("The documents name what is not there", &faults);
}

#[test]
fn quoted_examples_are_those_that_run() {
    let text = text_of("docs/embedding.md");
    let examples: String = ["crates/domain/examples", "crates/runtime/examples"]
        .map(|folder| sources_below(&root().join(folder)))
        .concat();
    let blocks: Vec<&str> =
        text.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 3, "{}", blocks.len());
    let lines = blocks.iter().flat_map(|block| block.lines()).map(str::trim).filter(|line| !line.is_empty());
    let strange: Vec<String> = lines.filter(|line| !examples.contains(line)).map(ToOwned::to_owned).collect();
    report("docs/embedding.md quotes what is in no example", &strange);
}
