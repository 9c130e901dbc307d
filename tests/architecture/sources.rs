//! What every source file keeps to.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::workspace::{packages, report, root};

const FOLDERS: &[&str] = &["bin", "crates", "migrations", "tests"];
const SOFT_LIMIT: usize = 400;
const HARD_LIMIT: usize = 600;

/// Names under which unrelated things gather.
const NOT_MODULES: &[&str] = &["common", "core", "helpers", "misc", "util", "utils"];

/// Marks of unfinished work. Split, so that this list does not find itself.
const UNFINISHED: &[&str] =
    &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("to", "do!("), concat!("unimple", "mented!(")];

/// Every file of the workspace's own folders, by its path from the root, in order.
fn files(extension: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        collect(&root().join(folder), extension, &mut found);
    }
    found.sort();
    assert!(!found.is_empty(), "no .{extension} files below {}", root().display());
    found
}

fn collect(folder: &Path, extension: &str, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).expect("a folder of the workspace") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, extension, found);
        } else if path.extension().is_some_and(|found| found == extension) {
            let text = fs::read_to_string(&path).expect("a source file in UTF-8");
            found.push((path.strip_prefix(root()).expect("a path below the root").to_owned(), text));
        }
    }
}

#[test]
fn every_crate_root_forbids_unsafe_code() {
    let targets = packages().flat_map(|(_, package)| &package.targets);
    let forbids =
        |path: &str| fs::read_to_string(path).expect("a crate root").contains("#![forbid(unsafe_code)]");
    let faults: Vec<String> =
        targets.map(|target| target.src_path.to_string()).filter(|path| !forbids(path)).collect();
    report("These crate roots lack `#![forbid(unsafe_code)]`:", &faults);
}

#[test]
#[expect(clippy::print_stdout, reason = "the soft limit is a remark, shown with --nocapture")]
fn files_stay_short() {
    let lengths = files("rs").into_iter().map(|(path, text)| (path, text.lines().count()));
    let long: Vec<(PathBuf, usize)> = lengths.filter(|(_, lines)| *lines > SOFT_LIMIT).collect();
    for (path, lines) in &long {
        println!("{} has {lines} lines, over the soft limit of {SOFT_LIMIT}", path.display());
    }
    let too_long = long.iter().filter(|(_, lines)| *lines > HARD_LIMIT);
    let faults: Vec<String> =
        too_long.map(|(path, lines)| format!("{}: {lines} lines", path.display())).collect();
    report("Files over 600 lines hold two things; give each its own:", &faults);
}

#[test]
fn nothing_is_left_unfinished() {
    let mut faults = Vec::new();
    for (path, text) in ["rs", "toml", "sh"].iter().flat_map(|extension| files(extension)) {
        for (number, line) in text.lines().enumerate() {
            if UNFINISHED.iter().any(|mark| line.contains(mark)) {
                faults.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    report("Finish it, or take it out:", &faults);
}

#[test]
fn modules_are_named_after_what_they_hold() {
    let names_nothing =
        |path: &Path| path.with_extension("").iter().any(|part| NOT_MODULES.iter().any(|name| part == *name));
    let faults: Vec<String> = files("rs")
        .iter()
        .filter(|(path, _)| names_nothing(path))
        .map(|(path, _)| path.display().to_string())
        .collect();
    report("These names say nothing of what is inside:", &faults);
}
