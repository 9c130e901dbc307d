//! Two tenants with everything in them, and fresh objects for whoever uses one up.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::json;
use sitewatch_domain::{
    access::{Actor, RequestContext, SCOPES},
    audit::{Action, AuditEvent, AuditFilter},
    page::SliceRequest,
};
use sitewatch_tests::{
    client::Client,
    world::{Backend, PASSWORD, SUPERUSER, World},
};

use crate::{forged_tokens::with_claim, reports::made};

use super::{
    cast::{A_CANARY, A_PLACE_CANARY, B_CANARY, B_PLACE_CANARY, GONE_CANARY, HIDDEN_CANARY, Org, Who},
    rights::{Right, right_of},
    table::{Place, Row, Target},
};

/// An id that nothing has.
pub const RANDOM: &str = "018f0000-0000-7000-8000-000000000000";

/// The ids that a call is about, by the names that paths and bodies use; and what else a body needs.
pub type Objects = BTreeMap<&'static str, String>;

/// The installation.
pub struct Stage {
    pub world: World,
    pub clients: BTreeMap<Who, Client>,
    pub a: Objects,
    pub b: Objects,
    archived: Vec<(Place, String)>,
    keys: BTreeMap<(Who, &'static str), Client>,
    made: AtomicUsize,
}

impl Stage {
    pub async fn build(backend: &Arc<Backend>) -> Self {
        Self::build_in(World::start(backend).await).await
    }

    pub async fn build_in(world: World) -> Self {
        let (a, b) =
            (tenant(&world, A_CANARY, A_PLACE_CANARY).await, tenant(&world, B_CANARY, B_PLACE_CANARY).await);
        let clients = cast(&world, &a, &b).await;
        let mut stage = Self {
            world,
            clients,
            a,
            b,
            archived: Vec::new(),
            keys: BTreeMap::new(),
            made: AtomicUsize::new(0),
        };
        let kind = &stage.a["module_type_id"];
        let hidden = stage.world.site(&stage.a["organization_id"], &format!("{HIDDEN_CANARY} site")).await;
        stage.world.module(&hidden, kind, &format!("{HIDDEN_CANARY} module")).await;
        stage.a.insert("second_site_id", hidden);
        let second = stage.world.site(&stage.b["organization_id"], &format!("{B_PLACE_CANARY} second")).await;
        stage.b.insert("second_site_id", second);
        stage.fill_the_archive().await;
        stage
    }

    /// An archived object of A of each kind, and an archived organization that A's admin administers as well.
    async fn fill_the_archive(&mut self) {
        for place in [
            Place::Organization,
            Place::Site,
            Place::Module,
            Place::ModuleType,
            Place::Metric,
            Place::User,
            Place::Member,
            Place::Assignment,
            Place::Invitation,
            Place::Report,
            Place::ApiKey,
            Place::ModuleCredential,
            Place::SiteCredential,
        ] {
            // A former member is still a user, and the site of an assignment that has ended is still there.
            let stays = matches!(place, Place::Member | Place::Assignment | Place::Invitation);
            let name = if stays { "former" } else { GONE_CANARY };
            let id = self.make(place, Org::A, name).await;
            if place == Place::Organization {
                let admin = self.clients[&Who::Admin].get("/api/v1/auth/me").await.expect(200).id();
                let body = json!({ "user_id": admin, "role": "admin" });
                self.world.root.post(&format!("/api/v1/organizations/{id}/users"), body).await.expect(201);
            }
            self.archive(place, Org::A, &id).await;
            self.archived.push((place, id));
        }
    }

    /// Keys with one scope each, keys with all but one each, and the device that is A's module.
    pub async fn make_keys(&mut self) {
        let organization = self.a["organization_id"].clone();
        let of_organization = format!("/api/v1/organizations/{organization}/api-keys");
        let admin = self.clients[&Who::Admin].clone();
        let make = async |path: &str, scopes: Vec<&str>| {
            let made = admin.post(path, json!({ "name": "key", "scopes": scopes })).await.expect(201);
            admin.with_token(made.data()["secret"].as_str().expect("a secret"))
        };
        for scope in SCOPES {
            // Who may annotate modules may call what changes them.
            let is_part = |other: &&str| *scope == "modules:write" && *other == "modules:annotate";
            let others = SCOPES.iter().copied().filter(|other| other != scope && !is_part(other)).collect();
            self.keys.insert((Who::Key, scope), make("/api/v1/auth/me/api-keys", vec![scope]).await);
            self.keys.insert((Who::KeyWithout, scope), make("/api/v1/auth/me/api-keys", others).await);
            self.keys.insert((Who::OrganizationKey, scope), make(&of_organization, vec![scope]).await);
        }
        let all = make("/api/v1/auth/me/api-keys", SCOPES.to_vec()).await;
        self.clients.insert(Who::KeyWithout, all.clone());
        self.clients.insert(Who::Key, all);
        self.clients.insert(Who::OrganizationKey, make(&of_organization, SCOPES.to_vec()).await);
        let device = format!("/api/v1/modules/{}/credentials", self.a["module_id"]);
        let device =
            admin.act(&device).await.expect(201).data()["secret"].as_str().expect("a secret").to_owned();
        self.clients.insert(Who::Device, admin.with_token(device));
    }

    /// The client with which somebody calls an operation: a key has the scope that it needs and no other, or all others. Where none
    /// would do, it has all of them.
    pub fn client(&self, who: Who, row: &Row) -> &Client {
        let of_scope = match right_of(row.operation) {
            Right::Scope(scope) => self.keys.get(&(who, scope)),
            Right::Free | Right::People => None,
        };
        of_scope.unwrap_or_else(|| &self.clients[&who])
    }

    pub const fn tenant(&self, org: Org) -> &Objects {
        match org {
            Org::A => &self.a,
            Org::B => &self.b,
        }
    }

    /// What a call of this row about this target names.
    pub fn objects(&self, row: &Row, target: Target) -> Objects {
        let mut objects = match target {
            Target::Foreign => self.b.clone(),
            _ => self.a.clone(),
        };
        if let Some(key) = row.place.key() {
            let id = match target {
                Target::Own | Target::Foreign => return objects,
                Target::Lost => {
                    for parent in ["organization_id", "site_id", "module_id"] {
                        objects.insert(parent, RANDOM.to_owned());
                    }
                    RANDOM.to_owned()
                }
                Target::Strayed => self.b[key].clone(),
                Target::Random => RANDOM.to_owned(),
                Target::Archived => self.archived(row.place),
            };
            objects.insert(key, id);
        }
        objects
    }

    /// The archived object of this kind.
    pub fn archived(&self, place: Place) -> String {
        let kind = match place {
            Place::OrganizationInBody | Place::OrganizationInQuery => Place::Organization,
            Place::SiteInBody | Place::SiteInRows => Place::Site,
            Place::ModuleInBody => Place::Module,
            other => other,
        };
        self.archived.iter().find(|(known, _)| *known == kind).expect("an archived one").1.clone()
    }

    /// The same with objects of its own where success takes them away, or wants something that is not used yet.
    pub async fn objects_to_use_up(&self, row: &Row, target: Target) -> Objects {
        let org = if target == Target::Foreign { Org::B } else { Org::A };
        let mut objects = self.objects(row, target);
        let restores = row.operation.starts_with("restore");
        // Two credentials are the most that one of them has.
        let fresh_parent = match row.place {
            Place::ModuleCredential if row.consumes() => Some(("module_id", Place::Module)),
            Place::SiteCredential if row.consumes() => Some(("site_id", Place::Site)),
            _ if row.operation == "createModuleCredential" => Some(("module_id", Place::Module)),
            _ if row.operation == "createSiteCredential" => Some(("site_id", Place::Site)),
            _ => None,
        };
        if let Some((key, kind)) = fresh_parent {
            objects.insert(key, self.make(kind, org, "fresh").await);
        }
        if row.place.key().is_some_and(|key| key.ends_with("credential_id")) && row.consumes() {
            let id = self.credential(row.place, &objects).await;
            objects.insert(row.place.key().expect("an object"), id);
            return objects;
        }
        if row.consumes() && !(restores && target != Target::Archived) {
            let id = self.make(row.place, org, "fresh").await;
            if restores {
                self.archive(row.place, org, &id).await;
            }
            if row.operation == "retryJob" {
                self.world.root.act(&format!("/api/v1/jobs/{id}/cancel")).await.expect(200);
            }
            objects.insert(row.place.key().expect("an object"), id);
        }
        let unused = match row.operation {
            "createAssignment" => Some(("site_id", Place::Site)),
            // Of no organization at all: only a superuser sees him.
            "createMember" => Some(("newcomer_id", Place::User)),
            _ => None,
        };
        if row.operation == "endUserSession" {
            objects.insert("session_id", session(&self.world, &self.tenant(org)["user_id"]).await);
        }
        if let Some((key, kind)) = unused {
            objects.insert(key, self.make(kind, org, "fresh").await);
        }
        objects
    }

    /// Who calls: in a session made for this call, where the call ends it.
    pub async fn caller(&self, who: Who, row: &Row) -> Client {
        let usual = self.client(who, row).clone();
        if row.operation != "logout" || who.is_turned_away() || Who::KEYS.contains(&who) {
            return usual;
        }
        let me = usual.get("/api/v1/auth/me").await.expect(200).data();
        let password = if who == Who::Superuser { SUPERUSER.1 } else { PASSWORD };
        self.world.anonymous().login(me["email"].as_str().expect("an address"), password).await
    }

    /// A number that nothing was named with yet.
    pub fn number(&self) -> usize {
        self.made.fetch_add(1, Ordering::Relaxed)
    }

    async fn make(&self, place: Place, org: Org, name: &str) -> String {
        let number = self.number();
        let name = format!("{name} {number}");
        let objects = self.tenant(org);
        let organization = &objects["organization_id"];
        let world = &self.world;
        match place {
            Place::Organization => world.organization(&name).await,
            Place::Site => world.site(organization, &name).await,
            Place::Module => world.module(&objects["site_id"], &objects["module_type_id"], &name).await,
            Place::ModuleType => world.module_type(organization, &name, &[]).await,
            Place::Metric => {
                let body =
                    json!({ "organization_id": organization, "key": name.replace(' ', "."), "name": name });
                world.root.post("/api/v1/metrics", body).await.expect(201).id()
            }
            Place::User => self.user(&name).await,
            Place::Member => {
                let user = self.user(&name).await;
                let body = json!({ "user_id": user, "role": "member" });
                world
                    .root
                    .post(&format!("/api/v1/organizations/{organization}/users"), body)
                    .await
                    .expect(201);
                user
            }
            Place::Assignment => {
                let site = world.site(organization, &name).await;
                world.assign(organization, &objects["user_id"], "site_id", &site, "viewer").await
            }
            Place::Invitation => {
                let email = format!("{}@example.org", name.replace(' ', "."));
                invitation(world, organization, &email).await
            }
            Place::Job => world.job(organization).await,
            Place::Report => report(world, organization, &name).await,
            Place::ApiKey => api_key(world, organization, &name).await,
            Place::ModuleCredential | Place::SiteCredential => self.credential(place, objects).await,
            _ => panic!("{place:?} is no kind of object"),
        }
    }

    async fn credential(&self, place: Place, objects: &Objects) -> String {
        let path = match place {
            Place::SiteCredential => format!("/api/v1/sites/{}/credentials", objects["site_id"]),
            _ => format!("/api/v1/modules/{}/credentials", objects["module_id"]),
        };
        self.world.root.act(&path).await.expect(201).id()
    }

    async fn user(&self, name: &str) -> String {
        let body = json!({ "email": format!("{}@example.org", name.replace(' ', ".")), "full_name": name });
        self.world.root.post("/api/v1/users", body).await.expect(201).id()
    }

    async fn archive(&self, place: Place, org: Org, id: &str) {
        let organization = &self.tenant(org)["organization_id"];
        let path = match place {
            Place::Organization => format!("/api/v1/organizations/{id}"),
            Place::Site => format!("/api/v1/sites/{id}"),
            Place::Module => format!("/api/v1/modules/{id}"),
            Place::ModuleType => format!("/api/v1/module-types/{id}"),
            Place::Metric => format!("/api/v1/metrics/{id}"),
            Place::User => format!("/api/v1/users/{id}"),
            Place::Member => format!("/api/v1/organizations/{organization}/users/{id}"),
            Place::Assignment => format!("/api/v1/organizations/{organization}/assignments/{id}"),
            Place::Invitation => format!("/api/v1/organizations/{organization}/invitations/{id}"),
            Place::Report => format!("/api/v1/reports/{id}"),
            Place::ApiKey => format!("/api/v1/organizations/{organization}/api-keys/{id}"),
            Place::ModuleCredential => {
                format!("/api/v1/modules/{}/credentials/{id}", self.tenant(org)["module_id"])
            }
            Place::SiteCredential => {
                format!("/api/v1/sites/{}/credentials/{id}", self.tenant(org)["site_id"])
            }
            _ => panic!("{place:?} is no kind of object"),
        };
        self.world.root.delete(&path).await.expect(200);
    }

    /// The newest entry of the audit log: it changes with everything that is changed.
    pub async fn newest_change(&self) -> String {
        let log = self.newest_entries(1_000).await;
        let mut changes = log.iter().filter(|entry| entry.action != Action::Denied);
        changes.next().expect("a change").id.to_string()
    }

    /// The newest entries of the audit log. Asked of the platform itself, since some calls end every session.
    #[expect(clippy::disallowed_methods, reason = "the log is looked at without anybody signed in")]
    pub async fn newest_entries(&self, limit: u32) -> Vec<AuditEvent> {
        let system = Actor::system(RequestContext::default());
        let newest = SliceRequest::new(limit, None).expect("a slice");
        let log = self.world.platform.audit().list(&system, &AuditFilter::default(), &newest).await;
        log.expect("the log").items
    }
}

/// An organization with a site, a module that has readings, a member who is assigned to the site.
async fn tenant(world: &World, canary: &str, place_canary: &str) -> Objects {
    let organization = world.organization(canary).await;
    let metric = format!("{canary}.power");
    let module_type = world.module_type(&organization, &format!("{canary} type"), &[&metric]).await;
    let metrics =
        world.root.get(&format!("/api/v1/metrics?organization_id={organization}")).await.expect(200);
    let site = world.site(&organization, &format!("{place_canary} site")).await;
    let module = world.module(&site, &module_type, &format!("{place_canary} module")).await;
    let rows = json!({ "readings": [{ "metric": metric, "at": "2026-01-01T00:00:00Z", "value": 1 }] });
    world.root.post(&format!("/api/v1/modules/{module}/readings"), rows).await.expect(200);
    let (user, _) = world.member(&organization, canary, "member").await;
    let assignment = world.assign(&organization, &user, "site_id", &site, "viewer").await;
    let invitation = invitation(world, &organization, &format!("{canary}.invited@example.org")).await;
    let job = world.job(&organization).await;
    let session_id = session(world, &user).await;
    let report = report(world, &organization, &format!("{canary} report")).await;
    let run = made(world, &world.root, &report, "2026-01-01").await;
    let api_key = api_key(world, &organization, &format!("{canary} key")).await;
    let credential =
        async |parent: &str| world.root.act(&format!("/api/v1/{parent}/credentials")).await.expect(201).id();
    let of_module = credential(&format!("modules/{module}")).await;
    let of_site = credential(&format!("sites/{site}")).await;
    let metric_id = metrics.data()[0]["id"].as_str().expect("an id").to_owned();
    Objects::from([
        ("organization_id", organization),
        ("site_id", site),
        ("module_id", module),
        ("module_type_id", module_type),
        ("metric_id", metric_id),
        ("metric", metric),
        ("user_id", user),
        ("assignment_id", assignment),
        ("invitation_id", invitation),
        ("job_id", job),
        ("api_key_id", api_key),
        ("module_credential_id", of_module),
        ("site_credential_id", of_site),
        ("session_id", session_id),
        ("report_id", report),
        ("run_id", run["id"].as_str().expect("an id").to_owned()),
    ])
}

async fn invitation(world: &World, organization: &str, email: &str) -> String {
    let path = format!("/api/v1/organizations/{organization}/invitations");
    world.root.post(&path, json!({ "email": email, "role": "member" })).await.expect(201).id()
}

async fn api_key(world: &World, organization: &str, name: &str) -> String {
    let body = json!({ "name": name, "scopes": ["sites:read"] });
    world.root.post(&format!("/api/v1/organizations/{organization}/api-keys"), body).await.expect(201).id()
}

/// A fresh session of a user.
async fn session(world: &World, user: &str) -> String {
    let profile = world.root.get(&format!("/api/v1/users/{user}")).await.expect(200).data();
    world.anonymous().login(profile["email"].as_str().expect("an address"), PASSWORD).await;
    let sessions = world.root.get(&format!("/api/v1/users/{user}/sessions")).await.expect(200).data();
    sessions[0]["id"].as_str().expect("an id").to_owned()
}

async fn report(world: &World, organization: &str, name: &str) -> String {
    let body = json!({ "organization_id": organization, "name": name, "period": "day", "format": "csv" });
    world.root.post("/api/v1/reports", body).await.expect(201).id()
}

async fn cast(world: &World, a: &Objects, b: &Objects) -> BTreeMap<Who, Client> {
    let (in_a, in_b) = (&a["organization_id"], &b["organization_id"]);
    let (operator_id, operator) = world.member(in_a, "operator", "member").await;
    let (viewer_id, viewer) = world.member(in_a, "viewer", "member").await;
    world.assign(in_a, &operator_id, "site_id", &a["site_id"], "operator").await;
    world.assign(in_a, &viewer_id, "site_id", &a["site_id"], "viewer").await;
    let (both_id, both) = world.member(in_b, "both", "admin").await;
    let body = json!({ "user_id": both_id, "role": "member" });
    world.root.post(&format!("/api/v1/organizations/{in_a}/users"), body).await.expect(201);
    let (_, admin) = world.member(in_a, "admin", "admin").await;
    let (deactivated_id, deactivated) = world.member(in_a, "deactivated", "admin").await;
    world.root.delete(&format!("/api/v1/users/{deactivated_id}")).await.expect(200);
    let forged = |claim: &str, value: serde_json::Value| {
        world.anonymous().with_token(with_claim(world, admin.token(), claim, value))
    };
    BTreeMap::from([
        (Who::Anonymous, world.anonymous()),
        (Who::Garbage, world.anonymous().with_token("garbage")),
        (Who::Expired, forged("exp", json!(1_700_000_000))),
        (Who::OtherAudience, forged("aud", json!("another program"))),
        (Who::Deactivated, deactivated),
        (Who::Superuser, world.root.clone()),
        (Who::Admin, admin),
        (Who::OtherAdmin, world.member(in_b, "other", "admin").await.1),
        (Who::AdminAndMember, both),
        (Who::Operator, operator),
        (Who::Viewer, viewer),
        (Who::Unassigned, world.member(in_a, "unassigned", "member").await.1),
        (Who::Outsider, world.user("outsider").await.1),
    ])
}
