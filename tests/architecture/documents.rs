//! Documents that are printed from the code.

use std::fs;

use sitewatch_domain::access::matrix;

use crate::workspace::root;

#[test]
#[expect(clippy::disallowed_methods, reason = "`make matrix` asks for the file to be written")]
fn the_access_matrix_is_current() {
    let path = root().join("docs/access-matrix.txt");
    if std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        fs::write(&path, matrix()).expect("docs/access-matrix.txt can be written");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        kept,
        matrix(),
        "docs/access-matrix.txt is not what the permission table says: run `make matrix`"
    );
}
