//! Documents that name tests, settings, commands and programs name some that there are.

use std::{collections::BTreeSet, fs, path::Path};

use crate::workspace::{report, root};

/// How many promises the contract has.
const PROMISES: usize = 64;

pub(crate) fn text_of(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All that stands between backticks in a line.
pub(crate) fn quoted(line: &str) -> impl Iterator<Item = &str> {
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

/// The folder of a module that has another name in the list of its suite.
const FOLDERS: &[(&str, &str)] = &[("access", "access_coverage")];

/// The sources of a module of a suite; those of `main.rs` if it has neither a file nor a folder.
fn sources_of(suite: &Path, module: &str) -> String {
    let folder = FOLDERS.iter().find(|(name, _)| *name == module).map_or(module, |(_, folder)| folder);
    let (file, folder) = (suite.join(format!("{module}.rs")), suite.join(folder));
    let mut all = if folder.is_dir() { sources_below(&folder) } else { String::new() };
    match fs::read_to_string(&file) {
        Ok(text) => all.push_str(&text),
        Err(_) if all.is_empty() => all = fs::read_to_string(suite.join("main.rs")).expect("a suite"),
        Err(_) => {}
    }
    all
}

/// Whether one of these functions bears the name, and is a test by its attribute.
fn is_test(sources: &str, case: &str) -> bool {
    sources.match_indices(&format!("fn {case}(")).any(|(at, _)| {
        let above = sources[..at].rsplit("\n\n").next().unwrap_or_default();
        above.contains("#[test]") || above.contains("#[tokio::test")
    })
}

/// Whether the list of a suite of a harness of its own runs this case under this name.
fn is_listed(list: &str, module: &str, case: &str) -> bool {
    let begins = [format!("\"{module}\":"), format!("on_each!(suite, {module}:")];
    let of_module = begins.iter().flat_map(|begin| list.split(begin.as_str()).skip(1));
    let of_module = of_module.filter_map(|rest| rest.split(");").next());
    list.contains(&format!("\"{module}::{case}\""))
        || of_module.flat_map(|cases| cases.split([',', ' ', '\n'])).any(|name| name == case)
}

/// Whether there is a test of this name: `suite::module::case`, `unit:crate::case`, or else a document.
fn exists(name: &str) -> bool {
    if let Some(rest) = name.strip_prefix("unit:") {
        let (package, case) = rest.split_once("::").expect("a crate and a case");
        return is_test(&sources_below(&root().join("crates").join(package).join("src")), case);
    }
    let Some((suite, rest)) = name.split_once("::") else { return root().join(name).exists() };
    let folder = root().join("tests").join(suite);
    let (module, case) = rest.split_once("::").expect("a module and a case");
    let sources = sources_of(&folder, module);
    if suite == "architecture" {
        return is_test(&sources, case);
    }
    let list = fs::read_to_string(folder.join("main.rs")).expect("a suite");
    sources.contains(&format!("fn {case}(")) && is_listed(&list, module, case)
}

#[test]
fn only_tests_that_there_are_are_found() {
    for name in [
        "api::versions::what_is_deprecated_says_so",
        "api::access::heads_answer_as_gets",
        "browser::docs::authorize_and_try_it_out",
        "architecture::promises::only_tests_that_there_are_are_found",
        "unit:runtime::secrets_are_never_printed",
        "docs/contract.md",
    ] {
        assert!(exists(name), "{name}");
    }
    for name in [
        "api::versions::what_is_deprecated",
        "api::transport::what_is_deprecated_says_so",
        "api::versions::counted",
        "browser::docs::main",
        "architecture::promises::exists",
        "unit:runtime::directory",
        "docs/promises.md",
    ] {
        assert!(!exists(name), "{name}");
    }
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
pub(crate) fn documents() -> Vec<(String, String)> {
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
    // Elsewhere there are names that no setting has, to show that they are refused.
    let table = text_of("crates/runtime/src/config/settings.rs")
        + &sources_below(&root().join("crates/runtime/src/config/settings"));
    let tests = sources_below(&root().join("tests"));
    let of_tests = words_after(&tests, "\"SITEWATCH_").filter(|name| name.starts_with("TEST_"));
    let settings: BTreeSet<&str> = words_after(&table, "\"SITEWATCH_").chain(of_tests).collect();
    let makefile = text_of("Makefile");
    let targets: BTreeSet<&str> =
        makefile.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
    let mut faults = Vec::new();
    for (document, text) in documents() {
        for name in words_after(&text, "SITEWATCH_") {
            // One that ends with a line stands for all that begin so; a value in a file, for the setting.
            let is_there = match name.strip_suffix('_') {
                Some(_) => settings.iter().any(|known| known.starts_with(name) && *known != name),
                None => settings.contains(name.trim_end_matches("_FILE")) || settings.contains(name),
            };
            if !is_there {
                faults.push(format!("{document}: SITEWATCH_{name}"));
            }
        }
        for line in text.lines().map(str::trim).filter(|line| line.contains('`') || line.starts_with("make "))
        {
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
        .concat()
        + &text_of("tests/api/embedded.rs");
    let blocks: Vec<&str> =
        text.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 3, "{}", blocks.len());
    let lines = blocks.iter().flat_map(|block| block.lines()).map(str::trim).filter(|line| !line.is_empty());
    let strange: Vec<String> = lines.filter(|line| !examples.contains(line)).map(ToOwned::to_owned).collect();
    report("docs/embedding.md quotes what is in no example", &strange);
}
