//! A user's actor comes out of authentication, and out of nothing else.

use sitewatch_domain::access::{Actor, RequestContext, Standing};

fn pretend(standing: Standing) -> Actor {
    Actor::from_standing(standing, RequestContext::default())
}

fn pretend_in_a_test(standing: Standing) -> Actor {
    Actor::for_tests(standing)
}

fn main() {}
