use uuid::Uuid;

use super::*;
use crate::{
    access::{Access, Bearer, Credential, RequestContext, Standing},
    ids::Id,
};

fn id<T>(number: u128) -> Id<T> {
    Id::from_uuid(Uuid::from_u128(number))
}

fn standing(
    memberships: &[(u128, Role)],
    assignments: &[(u128, u128, Access)],
    ends: &[(u128, u8)],
) -> Standing {
    Standing {
        user: id(1),
        session: Some(id(2)),
        is_superuser: false,
        memberships: memberships.iter().map(|(org, role)| (id(*org), *role)).collect(),
        assignments: assignments
            .iter()
            .map(|(org, site, access)| (id(*org), Spot::Site(id(*site)), *access))
            .collect(),
        log_ends: LogEnds {
            of_orgs: ends.iter().map(|(org, end)| (id(*org), [*end; 32])).collect(),
            of_all: None,
        },
    }
}

fn view(standing: Standing) -> Option<Digest> {
    Actor::from_standing(standing, RequestContext::default()).view()
}

#[test]
fn those_with_the_same_rights_share_a_view_until_a_log_moves_on() {
    let both = [(1, Role::Admin), (2, Role::Member)];
    let ends = [(1, 10), (2, 20)];
    let assigned = [(2, 5, Access::Viewer), (2, 6, Access::Operator)];
    let first = view(standing(&both, &assigned, &ends));
    assert!(first.is_some());
    let turned = [(2, Role::Member), (1, Role::Admin)];
    let other = Standing {
        user: id(7),
        session: Some(id(8)),
        ..standing(&turned, &[assigned[1], assigned[0]], &ends)
    };
    assert_eq!(view(other), first, "neither who it is nor the order matters");
    for different in [
        standing(&both, &assigned, &[(1, 11), (2, 20)]),
        standing(&both, &assigned, &[(1, 10), (2, 21)]),
        standing(&[(1, Role::Member), (2, Role::Member)], &assigned, &ends),
        standing(&both, &assigned[..1], &ends),
        standing(&both, &[(2, 5, Access::Operator), (2, 6, Access::Operator)], &ends),
        standing(&both, &[(2, 5, Access::Viewer), (2, 7, Access::Operator)], &ends),
        standing(&both[..1], &[], &ends),
        standing(&[], &[], &[]),
    ] {
        let text = format!("{different:?}");
        let found = view(different);
        assert!(found.is_some() && found != first, "{text}");
    }
    assert_eq!(view(standing(&both, &assigned, &ends[..1])), None, "the state of one is not known");
}

#[test]
fn superusers_share_the_view_of_everything_while_its_state_is_known() {
    let everything = |of_all| Standing {
        is_superuser: true,
        log_ends: LogEnds { of_orgs: Vec::new(), of_all },
        ..standing(&[], &[], &[])
    };
    assert_eq!(view(everything(None)), None);
    assert_eq!(view(everything(Some(3))), view(everything(Some(3))));
    assert_ne!(view(everything(Some(3))), view(everything(Some(4))));
    assert_ne!(view(everything(Some(0))), view(standing(&[], &[], &[])));
}

#[test]
fn keys_see_what_their_scopes_let_them() {
    let key = |scopes: &[&str]| {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let ends = LogEnds { of_orgs: vec![(id(1), [1; 32])], of_all: None };
        let bearer = Bearer::Organization { org: id(1), scopes, log_ends: ends };
        Actor::from_bearer(Credential::ApiKey(id(9)), bearer, RequestContext::default()).view()
    };
    assert!(key(&["sites:read"]).is_some());
    assert_eq!(key(&["sites:read"]), key(&["sites:read"]));
    assert_ne!(key(&["sites:read"]), key(&["modules:read"]));
    assert_ne!(key(&["sites:read"]), key(&["sites:read", "modules:read"]));
    assert_ne!(key(&["sites:read"]), view(standing(&[(1, Role::Admin)], &[], &[(1, 1)])));
    let device = Bearer::Device { org: id(1), spot: Spot::Site(id(5)) };
    assert_eq!(Actor::from_bearer(Credential::Device(id(9)), device, RequestContext::default()).view(), None);
    assert_eq!(Actor::anonymous(RequestContext::default()).view(), None);
}
