//! The workspace as Cargo sees it.

use std::{path::Path, process::Command, sync::LazyLock};

use cargo_metadata::{Metadata, MetadataCommand, Package};

/// What `cargo metadata` says of the workspace's own packages.
pub(crate) static WORKSPACE: LazyLock<Metadata> = LazyLock::new(|| {
    let options = ["--locked".to_owned(), "--offline".to_owned()];
    MetadataCommand::new().no_deps().other_options(options).exec().expect("cargo metadata")
});

/// The folder of the workspace.
pub(crate) fn root() -> &'static Path {
    WORKSPACE.workspace_root.as_std_path()
}

/// The packages of the workspace, without the `sitewatch-` of their names.
pub(crate) fn packages() -> impl Iterator<Item = (&'static str, &'static Package)> {
    WORKSPACE.workspace_packages().into_iter().map(|package| (short(package.name.as_str()), package))
}

/// A package's name within the workspace: `domain` for `sitewatch-domain`; others keep theirs.
pub(crate) fn short(name: &str) -> &str {
    name.strip_prefix("sitewatch-").unwrap_or(name)
}

/// The lines of `cargo tree` for what is built into a package: `name version [path] features`.
pub(crate) fn built_into(package: &str) -> Vec<String> {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let output = Command::new(cargo)
        .args([
            "tree",
            "--locked",
            "--offline",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p} {f}",
        ])
        .args(["--package", package])
        .current_dir(root())
        .output()
        .expect("cargo tree");
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(ToOwned::to_owned).collect()
}

/// Fails with all of these sentences, if there are any.
pub(crate) fn report(rule: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{rule}\n  {}", faults.join("\n  "));
}
