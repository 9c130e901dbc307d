//! Attempts to walk round the guards, which the compiler has to refuse.

/// Each file of `compile_fail` is one attempt; the `.stderr` beside it is the refusal.
///
/// After a change that rightly alters a message: `TRYBUILD=overwrite cargo test --workspace --test architecture`,
/// then read the diff: a case that fails for another reason than its name says guards nothing.
#[test]
fn attempts_to_go_round_the_guards_do_not_compile() {
    trybuild::TestCases::new().compile_fail("compile_fail/*.rs");
}
