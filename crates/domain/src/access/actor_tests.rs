use uuid::Uuid;

use super::*;
use crate::access::{
    AdministerOrganizations, AnnotateModules, EditProfile, ListUsers, ManageMembers, ManageSites, ReadAudit,
    ReadMembers, ReadProfiles, ReadSites,
};
use crate::ids::{Id, ModuleId, SiteId};

fn id<T>(number: u128) -> Id<T> {
    Id::from_uuid(Uuid::from_u128(number))
}

fn actor(memberships: Vec<(OrgId, Role)>, assignments: Vec<(OrgId, Spot, Access)>) -> Actor {
    let standing = Standing {
        user: id(1),
        session: Some(id(2)),
        is_superuser: false,
        memberships,
        assignments,
        log_ends: LogEnds::default(),
    };
    Actor::from_standing(standing, RequestContext::default())
}

fn superuser() -> Actor {
    let standing = Standing {
        user: id(1),
        session: Some(id(2)),
        is_superuser: true,
        memberships: Vec::new(),
        assignments: Vec::new(),
        log_ends: LogEnds::default(),
    };
    Actor::from_standing(standing, RequestContext::default())
}

struct Thing(OrgId, Vec<Spot>);

impl Located for Thing {
    fn org(&self) -> Option<OrgId> {
        Some(self.0)
    }
    fn spots(&self) -> Vec<Spot> {
        self.1.clone()
    }
}

#[test]
fn nobody_is_asked_to_sign_in_rather_than_forbidden() {
    let nobody = Actor::anonymous(RequestContext::default());
    assert!(matches!(nobody.grant::<ReadSites>(), Err(Error::Unauthenticated(TokenFault::Missing))));
    assert!(matches!(nobody.grant_in::<ManageSites>(id(7)), Err(Error::Unauthenticated(_))));
    assert!(matches!(nobody.grant_platform::<AdministerOrganizations>(), Err(Error::Unauthenticated(_))));
}

#[test]
fn an_admin_reaches_his_organization_and_no_other() {
    let admin = actor(vec![(id(7), Role::Admin)], Vec::new());
    let grant = admin.grant::<ReadSites>().expect("an admin");
    let Reach::Within(within) = grant.reach() else { panic!("an admin is no superuser") };
    assert_eq!(within.orgs, BTreeSet::from([id(7)]));
    assert!(admin.grant_in::<ManageSites>(id(7)).is_ok());
    assert!(matches!(admin.grant_in::<ManageSites>(id(8)), Err(Error::Forbidden(_))));
    assert!(matches!(admin.grant_within::<ReadSites>(id(8)), Err(Error::Forbidden(_))));
    assert!(matches!(admin.grant_platform::<AdministerOrganizations>(), Err(Error::Forbidden(_))));
}

#[test]
fn an_admin_of_one_organization_is_a_plain_member_of_another() {
    let both = actor(vec![(id(7), Role::Admin), (id(8), Role::Member)], Vec::new());
    let grant = both.grant::<ReadSites>().expect("signed in");
    let Reach::Within(within) = grant.reach() else { panic!("no superuser") };
    assert_eq!(within.orgs, BTreeSet::from([id(7)]), "sites of the other only by assignment");
    assert!(both.grant_in::<ManageMembers>(id(8)).is_err());
    assert!(both.grant_within::<ReadMembers>(id(8)).is_ok());
}

#[test]
fn a_regular_user_sees_what_is_assigned_and_may_see_nothing() {
    let (site, module): (SiteId, ModuleId) = (id(20), id(30));
    let unassigned = actor(vec![(id(7), Role::Member)], Vec::new());
    let grant = unassigned.grant::<ReadSites>().expect("an empty list is no refusal");
    assert_eq!(*grant.reach(), Reach::Within(Within { user: Some(id(1)), ..Within::default() }));

    let assigned = actor(
        vec![(id(7), Role::Member)],
        vec![(id(7), Spot::Site(site), Access::Viewer), (id(7), Spot::Module(module), Access::Operator)],
    );
    let grant = assigned.grant::<ReadSites>().expect("assigned");
    let Reach::Within(within) = grant.reach() else { panic!("no superuser") };
    assert_eq!(
        (within.sites.clone(), within.modules.clone()),
        (BTreeSet::from([site]), BTreeSet::from([module]))
    );
    assert!(within.orgs.is_empty());
}

#[test]
fn lists_that_only_admins_have_are_forbidden_to_others() {
    let member = actor(vec![(id(7), Role::Member)], Vec::new());
    assert!(matches!(member.grant::<ListUsers>(), Err(Error::Forbidden(_))));
    assert!(matches!(member.grant::<ReadAudit>(), Err(Error::Forbidden(_))));
    assert!(matches!(member.grant_with_archived::<ReadSites, ManageSites>(), Err(Error::Forbidden(_))));
    let own = member.grant::<ReadProfiles>().expect("his own profile");
    assert_eq!(*own.reach(), Reach::Within(Within { user: Some(id(1)), ..Within::default() }));
    assert_eq!(member.grant_own::<EditProfile>().expect("his own").user(), id(1));
}

#[test]
fn an_operator_annotates_what_a_viewer_only_sees() {
    let spot = Spot::Module(id(30));
    let thing = Thing(id(7), vec![Spot::Site(id(20)), spot]);
    let operator = actor(vec![(id(7), Role::Member)], vec![(id(7), spot, Access::Operator)]);
    let viewer = actor(vec![(id(7), Role::Member)], vec![(id(7), spot, Access::Viewer)]);
    assert!(operator.grant_at::<AnnotateModules>(&thing).is_ok());
    assert!(matches!(viewer.grant_at::<AnnotateModules>(&thing), Err(Error::Forbidden(_))));
    assert!(matches!(operator.grant_at::<ManageSites>(&thing), Err(Error::Forbidden(_))));
    let by_site = actor(vec![(id(7), Role::Member)], vec![(id(7), Spot::Site(id(20)), Access::Operator)]);
    assert!(by_site.grant_at::<AnnotateModules>(&thing).is_ok(), "a site's assignment covers its modules");
}

#[test]
fn archived_rows_are_reached_only_where_the_caller_manages() {
    let both = actor(vec![(id(7), Role::Admin), (id(8), Role::Member)], Vec::new());
    let grant = both.grant_with_archived::<ReadSites, ManageSites>().expect("an admin");
    assert_eq!(*grant.archived(), Archived::Within(BTreeSet::from([id(7)])));
    assert!(both.grant_within_with_archived::<ReadSites, ManageSites>(id(8)).is_err());
    let grant = superuser().grant_with_archived::<ReadSites, ManageSites>().expect("a superuser");
    assert_eq!(*grant.archived(), Archived::Everywhere);
}

#[test]
fn a_superuser_holds_every_permission_and_his_acts_are_marked() {
    let grant = superuser().grant_in::<ManageSites>(id(99)).expect("a superuser");
    assert_eq!(grant.org(), id(99));
    assert!(grant.author().is_superuser);
    assert_eq!(grant.author().user, Some(id(1)));
    assert!(matches!(superuser().grant::<ListUsers>().expect("a superuser").reach(), Reach::Everywhere));
}

#[test]
fn what_is_built_in_is_changed_by_superusers_only() {
    let admin = actor(vec![(id(7), Role::Admin)], Vec::new());
    assert!(matches!(admin.grant_of_owner::<crate::access::ManageCatalogue>(None), Err(Error::Forbidden(_))));
    assert!(superuser().grant_of_owner::<crate::access::ManageCatalogue>(None).is_ok());
}

#[test]
fn the_horizon_is_that_of_all_rights_and_not_of_those_in_use() {
    let within = |orgs: &[u128]| Horizon::Within {
        orgs: orgs.iter().map(|org| id(*org)).collect(),
        user: Some(id(1)),
    };
    let both = actor(
        vec![(id(7), Role::Admin), (id(8), Role::Member)],
        vec![(id(8), Spot::Site(id(20)), Access::Viewer)],
    );
    assert_eq!(*both.horizon(), within(&[7, 8]));
    assert_eq!(
        *both.as_oneself().expect("a user").horizon(),
        within(&[7, 8]),
        "he may be told where he is a member"
    );
    assert_eq!(*actor(Vec::new(), Vec::new()).horizon(), within(&[]));
    assert_eq!(*superuser().horizon(), Horizon::Everything);
    let of_org = Horizon::Within { orgs: BTreeSet::from([id(7)]), user: None };
    assert_eq!(*Actor::of_organization(id(7)).horizon(), of_org);
}
