//! Every operation of the OpenAPI document for every principal: an operation without a row here fails.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use reqwest::Method;
use serde_json::{Value, json};
use sitewatch_tests::{
    client::{Answer, Client},
    world::{Backend, PASSWORD, World},
};

/// What a principal gets: A(llowed: anything but 401, 403, 404), F(orbidden, 403) or N(ot found, 404).
///
/// In the order: unassigned member, viewer, operator, admin, admin of another organization, superuser. Operator and viewer
/// are assigned to the site of the row.
const TABLE: &[(&str, &str)] = &[
    ("getMe", "AAAAAA"),
    ("patchMe", "AAAAAA"),
    ("logout", "AAAAAA"),
    ("listPermissions", "AAAAAA"),
    ("listUsers", "FFFAAA"),
    ("createUser", "FFFFFA"),
    ("getUser", "NNNANA"),
    ("updateUser", "NNNFNA"),
    ("patchUser", "NNNFNA"),
    ("archiveUser", "NNNFNA"),
    ("restoreUser", "FFFFFA"),
    ("listUserOrganizations", "NNNANA"),
    ("listUserAssignments", "NNNANA"),
    ("listOrganizations", "AAAAAA"),
    ("createOrganization", "FFFFFA"),
    ("getOrganization", "AAAAFA"),
    ("updateOrganization", "FFFAFA"),
    ("patchOrganization", "FFFAFA"),
    ("archiveOrganization", "FFFFFA"),
    ("restoreOrganization", "FFFFFA"),
    ("listMembers", "AAAAFA"),
    ("createMember", "FFFAFA"),
    ("updateMember", "FFFAFA"),
    ("patchMember", "FFFAFA"),
    ("archiveMember", "FFFAFA"),
    ("listAssignments", "FFFAFA"),
    ("createAssignment", "FFFAFA"),
    ("getAssignment", "FFFAFA"),
    ("updateAssignment", "FFFAFA"),
    ("patchAssignment", "FFFAFA"),
    ("archiveAssignment", "FFFAFA"),
    ("listSites", "AAAAAA"),
    ("createSite", "FFFAFA"),
    ("getSite", "NAAANA"),
    ("updateSite", "NFFANA"),
    ("patchSite", "NFFANA"),
    ("archiveSite", "NFFANA"),
    ("restoreSite", "NFFANA"),
    ("getSiteSummary", "NAAANA"),
    ("listOrganizationSites", "AAAAFA"),
    ("createOrganizationSite", "FFFAFA"),
    ("listModuleTypes", "AAAAAA"),
    ("createModuleType", "FFFAFA"),
    ("getModuleType", "AAAANA"),
    ("updateModuleType", "FFFANA"),
    ("patchModuleType", "FFFANA"),
    ("archiveModuleType", "FFFANA"),
    ("restoreModuleType", "FFFANA"),
    ("listMetrics", "AAAAAA"),
    ("createMetric", "FFFAFA"),
    ("getMetric", "AAAANA"),
    ("updateMetric", "FFFANA"),
    ("patchMetric", "FFFANA"),
    ("archiveMetric", "FFFANA"),
    ("restoreMetric", "FFFANA"),
    ("listModules", "AAAAAA"),
    ("createModule", "NFFANA"),
    ("getModule", "NAAANA"),
    ("updateModule", "NFAANA"),
    ("patchModule", "NFAANA"),
    ("archiveModule", "NFFANA"),
    ("restoreModule", "NFFANA"),
    ("moveModule", "NFFANA"),
    ("sendHeartbeat", "NFFANA"),
    ("listLatest", "NAAANA"),
    ("listSiteModules", "NAAANA"),
    ("createSiteModule", "NFFANA"),
    ("listOrganizationModules", "AAAAFA"),
    ("listReadings", "NAAANA"),
    ("createReadings", "NFFANA"),
    ("ingestReadings", "FFFAAA"),
    ("queryTelemetry", "AAAAAA"),
    ("listAuditEvents", "FFFAAA"),
    ("listOrganizationAuditEvents", "FFFAFA"),
];

/// Operations that need no token.
const PUBLIC: &[&str] = &[
    "getHealth",
    "getHealthLive",
    "getHealthReady",
    "getOpenApi",
    "getKeySet",
    "login",
    "createToken",
    "refresh",
    "completeSetup",
    "getVersion",
];

const RANDOM: &str = "018f0000-0000-7000-8000-000000000000";

/// An operation of the document.
struct Operation {
    name: String,
    method: Method,
    path: String,
}

/// The objects that a row is about, fresh for each row.
struct Objects(BTreeMap<&'static str, String>);

struct Cast {
    world: World,
    organization: String,
    members: Vec<String>,
    clients: Vec<Client>,
    deactivated: Client,
}

pub async fn every_operation_for_every_principal(backend: Arc<Backend>) {
    let mut cast = Cast::gather(&backend).await;
    let operations = operations_of(&cast.world).await;
    let known: BTreeSet<&str> = TABLE.iter().map(|(name, _)| *name).chain(PUBLIC.iter().copied()).collect();
    let documented: BTreeSet<&str> = operations.iter().map(|operation| operation.name.as_str()).collect();
    assert_eq!(documented, known, "each operation of the document has its row, and each row its operation");
    let mut wrong = Vec::new();
    let mut checked = 0;
    for operation in &operations {
        let Some((_, expected)) = TABLE.iter().find(|(name, _)| *name == operation.name) else {
            continue;
        };
        cast.check(operation, expected, &mut wrong, &mut checked).await;
    }
    assert!(wrong.is_empty(), "{} of {checked} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(checked > 700, "{checked} combinations");
}

impl Cast {
    async fn gather(backend: &Arc<Backend>) -> Self {
        let world = World::start(backend).await;
        let (a, b) = (world.organization("A").await, world.organization("B").await);
        let mut members = Vec::new();
        let mut clients = Vec::new();
        for (name, organization, role) in [
            ("unassigned", &a, "member"),
            ("viewer", &a, "member"),
            ("operator", &a, "member"),
            ("admin", &a, "admin"),
            ("other", &b, "admin"),
        ] {
            let (user, client) = world.member(organization, name, role).await;
            members.push(user);
            clients.push(client);
        }
        clients.push(world.root.clone());
        let (user, deactivated) = world.member(&a, "deactivated", "admin").await;
        world.root.delete(&format!("/api/v1/users/{user}")).await.expect(200);
        Self { world, organization: a, members, clients, deactivated }
    }

    async fn objects(&self, number: usize) -> Objects {
        let (world, a) = (&self.world, &self.organization);
        let module_type = world.module_type(a, &format!("T{number}"), &[&format!("m{number}")]).await;
        let metrics =
            world.root.get(&format!("/api/v1/metrics?organization_id={a}&key=m{number}")).await.expect(200);
        let site = world.site(a, &format!("S{number}")).await;
        let module = world.module(&site, &module_type, &format!("M{number}")).await;
        world.assign(a, &self.members[1], "site_id", &site, "viewer").await;
        let assignment = world.assign(a, &self.members[2], "site_id", &site, "operator").await;
        let (user, _) = world.member(a, &format!("target{number}"), "member").await;
        let metric = metrics.data()[0]["id"].as_str().unwrap().to_owned();
        Objects(BTreeMap::from([
            ("organization_id", a.clone()),
            ("site_id", site),
            ("module_id", module),
            ("module_type_id", module_type),
            ("metric_id", metric),
            ("user_id", user),
            ("assignment_id", assignment),
        ]))
    }

    async fn check(
        &mut self,
        operation: &Operation,
        expected: &str,
        wrong: &mut Vec<String>,
        checked: &mut usize,
    ) {
        let objects = self.objects(*checked).await;
        let path = objects.fill(&operation.path, None);
        let body = body_of(&operation.name, &objects);
        let mut verify = |who: &str, wanted: &str, answer: &Answer| {
            *checked += 1;
            let got = match answer.status.as_u16() {
                401 => "401",
                403 => "F",
                404 => "N",
                status if status >= 500 => "5xx",
                _ => "A",
            };
            if got != wanted {
                wrong.push(format!(
                    "{} as {who}: {} instead of {wanted}: {}",
                    operation.name, answer.status, answer.text
                ));
            }
        };
        let newest = self.newest_change().await;
        for (who, client) in [
            ("anonymous", self.world.anonymous()),
            ("garbage", self.world.anonymous().with_token("garbage")),
            ("deactivated", self.deactivated.clone()),
        ] {
            let broken = client
                .raw(operation.method.clone(), &path, b"{".to_vec(), &[("content-type", "application/json")])
                .await;
            verify(who, "401", &broken);
        }
        let names = ["unassigned", "viewer", "operator", "admin", "other", "root"];
        let rows: Vec<(usize, &str, String)> = expected
            .chars()
            .enumerate()
            .map(|(index, class)| (index, names[index], class.to_string()))
            .collect();
        for (index, who, class) in rows.iter().filter(|(_, _, class)| class != "A") {
            let answer = self.send(*index, operation, &path, body.as_ref()).await;
            verify(who, class, &answer);
            let broken = self.clients[*index]
                .raw(operation.method.clone(), &path, b"{".to_vec(), &[("content-type", "application/json")])
                .await;
            if *who == "other" && class == "N" && body.is_none() {
                verify("other with a broken body", class, &broken);
            }
            if class == "N" && operation.path.contains("_id}") {
                let unknown = self
                    .send(*index, operation, &objects.fill(&operation.path, Some(RANDOM)), body.as_ref())
                    .await;
                assert_eq!(
                    without_request_id(&answer),
                    without_request_id(&unknown),
                    "{} as {who}",
                    operation.name
                );
            }
        }
        assert_eq!(
            newest,
            self.newest_change().await,
            "{}: a refused call changed something",
            operation.name
        );
        for index in [3, 5] {
            if let Some(wanted) = expected_for_random(operation, index) {
                let answer = self
                    .send(index, operation, &objects.fill(&operation.path, Some(RANDOM)), body.as_ref())
                    .await;
                verify(&format!("{} with a random id", names[index]), wanted, &answer);
            }
        }
        for (index, who, class) in rows.iter().filter(|(_, _, class)| class == "A") {
            // What an earlier principal archived is brought back for the next one.
            let _restored =
                self.world.root.act(&format!("/api/v1/sites/{}/restore", objects.0["site_id"])).await;
            let _restored =
                self.world.root.act(&format!("/api/v1/modules/{}/restore", objects.0["module_id"])).await;
            let again = json!({ "user_id": objects.0["user_id"], "role": "member" });
            let _added = self
                .world
                .root
                .post(&format!("/api/v1/organizations/{}/users", self.organization), again)
                .await;
            let fresh = if operation.name == "archiveAssignment" && *who == "root" {
                self.objects(10_000 + *index).await.fill(&operation.path, None)
            } else {
                path.clone()
            };
            let answer = self.send(*index, operation, &fresh, body.as_ref()).await;
            verify(who, class, &answer);
        }
        self.mend(operation).await;
    }

    async fn send(&self, index: usize, operation: &Operation, path: &str, body: Option<&Value>) -> Answer {
        let body = match operation.method {
            Method::GET | Method::DELETE => None,
            _ => Some(body.cloned().unwrap_or_else(|| json!({}))),
        };
        self.clients[index].send(operation.method.clone(), path, body, &[]).await
    }

    /// Brings back what the operation did to the cast itself.
    async fn mend(&mut self, operation: &Operation) {
        if operation.name == "archiveOrganization" {
            self.world
                .root
                .act(&format!("/api/v1/organizations/{}/restore", self.organization))
                .await
                .expect(200);
        }
        if operation.name == "logout" {
            let anonymous = self.world.anonymous();
            for (index, name) in ["unassigned", "viewer", "operator", "admin", "other"].iter().enumerate() {
                self.clients[index] = anonymous.login(&format!("{name}@example.org"), PASSWORD).await;
            }
            let (email, password) = sitewatch_tests::world::SUPERUSER;
            self.world.root = anonymous.login(email, password).await;
            self.clients[5] = self.world.root.clone();
        }
    }

    async fn newest_change(&self) -> String {
        self.world.root.get("/api/v1/audit?limit=1").await.expect(200).data()[0]["id"].to_string()
    }
}

impl Objects {
    /// The path with ids; the last one, which names the object itself, may be another.
    fn fill(&self, path: &str, other: Option<&str>) -> String {
        let mut filled = path.to_owned();
        let last = path
            .rfind("_id}")
            .and_then(|end| path[..end].rfind('{').map(|start| path[start + 1..end + 3].to_owned()));
        for (name, id) in &self.0 {
            let id = other.filter(|_| last.as_deref() == Some(name)).unwrap_or(id);
            filled = filled.replace(&format!("{{{name}}}"), id);
        }
        filled
    }
}

/// With an id that nothing has: a named organization is forbidden to all but superusers, everything else is not found.
fn expected_for_random(operation: &Operation, index: usize) -> Option<&'static str> {
    let object = operation.path.matches("_id}").count();
    let names_organization = operation.path.contains("{organization_id}") && object == 1;
    match (object, index) {
        (0, _) => None,
        _ if operation.name == "restoreUser" && index == 3 => Some("F"),
        _ if names_organization && index == 3 => Some("F"),
        _ => Some("N"),
    }
}

/// What the operation needs to know before it can refuse: the organization or site that a body names.
fn body_of(name: &str, objects: &Objects) -> Option<Value> {
    match name {
        "createSite" | "createModuleType" | "createMetric" => {
            Some(json!({ "organization_id": objects.0["organization_id"] }))
        }
        "createModule" => Some(json!({ "site_id": objects.0["site_id"] })),
        _ => None,
    }
}

fn without_request_id(answer: &Answer) -> Value {
    let mut body = answer.json();
    body.as_object_mut().unwrap().remove("request_id");
    body
}

async fn operations_of(world: &World) -> Vec<Operation> {
    let document = world.anonymous().get("/openapi.json").await.expect(200).json();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations.push(Operation {
                name: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
            });
        }
    }
    operations
}
