//! A secret cannot be printed by accident.

use sitewatch_domain::text::Secret;

fn print(secret: &Secret<String>) -> String {
    format!("the token is {secret}")
}

fn main() {}
