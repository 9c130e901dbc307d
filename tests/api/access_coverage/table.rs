//! The one table: who may do what, and the status that follows for each principal and target.

use super::cast::{Org, Role, Who};

/// How an operation names what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Not at all.
    Nowhere,
    /// An organization, in the path.
    Organization,
    /// An organization, as `?organization_id=`.
    OrganizationInQuery,
    /// An organization, in the body.
    OrganizationInBody,
    /// A site, in the path.
    Site,
    /// A site, in the body.
    SiteInBody,
    /// A site, in the body as that of a row among others.
    SiteInRows,
    /// A module, in the path.
    Module,
    /// A module, in the body among others.
    ModuleInBody,
    /// A module type, in the path.
    ModuleType,
    /// A metric, in the path.
    Metric,
    /// A user, in the path.
    User,
    /// A member, in the path below an organization.
    Member,
    /// An assignment, in the path below an organization.
    Assignment,
    /// An invitation, in the path below an organization.
    Invitation,
    /// A job, in the path.
    Job,
    /// A report, in the path.
    Report,
    /// A run, in the path below its report.
    ReportRun,
    /// An API key of an organization, in the path below it.
    ApiKey,
    /// An API key of somebody else's, where one's own are asked for.
    OwnApiKey,
    /// A device credential, in the path below its module.
    ModuleCredential,
    /// A device credential, in the path below its site.
    SiteCredential,
}

/// What is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// An active object of organization A.
    Own,
    /// An active object of organization B.
    Foreign,
    /// An archived object of A; the archived organization.
    Archived,
    /// Nothing that exists.
    Random,
    /// An object of B below the path of A.
    Strayed,
    /// Nothing, below an organization, site or module that does not exist.
    Lost,
}

/// An operation, how it names its object, the least role that may do it there, and the status of success.
pub struct Row {
    pub operation: &'static str,
    pub place: Place,
    pub least: Role,
    pub success: u16,
}

const fn row(operation: &'static str, place: Place, least: Role, success: u16) -> Row {
    Row { operation, place, least, success }
}

/// Operations that need no token, and what they answer to somebody who sends nothing.
pub const PUBLIC: &[(&str, u16)] = &[
    ("getHealth", 200),
    ("getHealthLive", 200),
    ("getHealthReady", 200),
    ("getOpenApi", 200),
    ("getOpenApi30", 200),
    ("getKeySet", 200),
    ("getVersion", 200),
    ("listDeprecations", 200),
    ("login", 400),
    ("createToken", 415),
    ("refresh", 400),
    ("forgotPassword", 400),
    ("resetPassword", 400),
    ("completeSetup", 410),
    ("acceptInvitation", 400),
];

use Place::{
    ApiKey, Assignment, Invitation, Job, Member, Metric, Module, ModuleCredential, ModuleInBody, ModuleType,
    Nowhere, Organization, OrganizationInBody, OrganizationInQuery, OwnApiKey, Report, ReportRun, Site,
    SiteCredential, SiteInBody, SiteInRows, User,
};

/// Every operation that needs a token. Those that name an organization in two ways have a row for each.
pub const TABLE: &[Row] = &[
    row("getMe", Nowhere, Role::Nobody, 200),
    row("getOwnUser", Nowhere, Role::Nobody, 200),
    row("patchMe", Nowhere, Role::Nobody, 200),
    row("logout", Nowhere, Role::Nobody, 204),
    row("logoutAll", Nowhere, Role::Nobody, 204),
    // With a new password that is none: success would change that of the whole cast.
    row("changePassword", Nowhere, Role::Nobody, 422),
    row("listMySessions", Nowhere, Role::Nobody, 200),
    // Somebody else's, which nobody has among his own.
    row("endMySession", Nowhere, Role::Nobody, 404),
    row("listPermissions", Nowhere, Role::Nobody, 200),
    row("listOwnPermissions", Nowhere, Role::Nobody, 200),
    row("listApiKeys", Nowhere, Role::Nobody, 200),
    row("createApiKey", Nowhere, Role::Nobody, 201),
    row("getApiKey", OwnApiKey, Role::Nobody, 200),
    row("updateApiKey", OwnApiKey, Role::Nobody, 200),
    row("patchApiKey", OwnApiKey, Role::Nobody, 200),
    row("revokeApiKey", OwnApiKey, Role::Nobody, 200),
    row("listOrganizationApiKeys", Organization, Role::Admin, 200),
    row("createOrganizationApiKey", Organization, Role::Admin, 201),
    row("getOrganizationApiKey", ApiKey, Role::Admin, 200),
    row("updateOrganizationApiKey", ApiKey, Role::Admin, 200),
    row("patchOrganizationApiKey", ApiKey, Role::Admin, 200),
    row("revokeOrganizationApiKey", ApiKey, Role::Admin, 200),
    row("listUsers", Nowhere, Role::Admin, 200),
    row("listUsers", OrganizationInQuery, Role::Admin, 200),
    row("createUser", Nowhere, Role::Superuser, 201),
    row("getUser", User, Role::Admin, 200),
    row("updateUser", User, Role::Superuser, 200),
    row("patchUser", User, Role::Superuser, 200),
    row("archiveUser", User, Role::Superuser, 200),
    row("restoreUser", User, Role::Superuser, 200),
    row("listUserSessions", User, Role::Superuser, 200),
    row("endUserSession", User, Role::Superuser, 204),
    row("endUserSessions", User, Role::Superuser, 204),
    row("listUserOrganizations", User, Role::Admin, 200),
    row("listUserAssignments", User, Role::Admin, 200),
    row("listOrganizations", Nowhere, Role::Nobody, 200),
    row("createOrganization", Nowhere, Role::Superuser, 201),
    row("getOrganization", Organization, Role::Member, 200),
    row("updateOrganization", Organization, Role::Admin, 200),
    row("patchOrganization", Organization, Role::Admin, 200),
    row("archiveOrganization", Organization, Role::Superuser, 200),
    row("restoreOrganization", Organization, Role::Superuser, 200),
    row("listMembers", Organization, Role::Member, 200),
    row("createMember", Organization, Role::Admin, 201),
    row("updateMember", Member, Role::Admin, 200),
    row("patchMember", Member, Role::Admin, 200),
    row("archiveMember", Member, Role::Admin, 200),
    row("listAssignments", Organization, Role::Admin, 200),
    row("createAssignment", Organization, Role::Admin, 201),
    row("getAssignment", Assignment, Role::Admin, 200),
    row("updateAssignment", Assignment, Role::Admin, 200),
    row("patchAssignment", Assignment, Role::Admin, 200),
    row("archiveAssignment", Assignment, Role::Admin, 200),
    row("listInvitations", Organization, Role::Member, 200),
    row("createInvitation", Organization, Role::Admin, 201),
    row("getInvitation", Invitation, Role::Member, 200),
    row("revokeInvitation", Invitation, Role::Admin, 200),
    row("resendInvitation", Invitation, Role::Admin, 200),
    row("listSites", Nowhere, Role::Nobody, 200),
    row("listSites", OrganizationInQuery, Role::Member, 200),
    row("createSite", OrganizationInBody, Role::Admin, 201),
    row("createSitesInBulk", OrganizationInBody, Role::Admin, 200),
    row("getSite", Site, Role::Viewer, 200),
    row("updateSite", Site, Role::Admin, 200),
    row("patchSite", Site, Role::Admin, 200),
    row("archiveSite", Site, Role::Admin, 200),
    row("restoreSite", Site, Role::Admin, 200),
    row("getSiteSummary", Site, Role::Viewer, 200),
    row("listOrganizationSites", Organization, Role::Member, 200),
    row("createOrganizationSite", Organization, Role::Admin, 201),
    row("listModuleTypes", Nowhere, Role::Nobody, 200),
    row("listModuleTypes", OrganizationInQuery, Role::Member, 200),
    row("createModuleType", OrganizationInBody, Role::Admin, 201),
    row("getModuleType", ModuleType, Role::Member, 200),
    row("updateModuleType", ModuleType, Role::Admin, 200),
    row("patchModuleType", ModuleType, Role::Admin, 200),
    row("archiveModuleType", ModuleType, Role::Admin, 200),
    row("restoreModuleType", ModuleType, Role::Admin, 200),
    row("listMetrics", Nowhere, Role::Nobody, 200),
    row("listMetrics", OrganizationInQuery, Role::Member, 200),
    row("createMetric", OrganizationInBody, Role::Admin, 201),
    row("getMetric", Metric, Role::Member, 200),
    row("updateMetric", Metric, Role::Admin, 200),
    row("patchMetric", Metric, Role::Admin, 200),
    row("archiveMetric", Metric, Role::Admin, 200),
    row("restoreMetric", Metric, Role::Admin, 200),
    row("listModules", Nowhere, Role::Nobody, 200),
    row("listModules", OrganizationInQuery, Role::Member, 200),
    row("createModule", SiteInBody, Role::Admin, 201),
    row("createModulesInBulk", SiteInRows, Role::Admin, 200),
    row("getModule", Module, Role::Viewer, 200),
    row("updateModule", Module, Role::Operator, 200),
    row("patchModule", Module, Role::Operator, 200),
    row("archiveModule", Module, Role::Admin, 200),
    row("restoreModule", Module, Role::Admin, 200),
    row("moveModule", Module, Role::Admin, 200),
    row("sendHeartbeat", Module, Role::Admin, 200),
    row("listLatest", Module, Role::Viewer, 200),
    row("listSiteModules", Site, Role::Viewer, 200),
    row("createSiteModule", Site, Role::Admin, 201),
    row("listOrganizationModules", Organization, Role::Member, 200),
    row("listModuleCredentials", Module, Role::Admin, 200),
    row("createModuleCredential", Module, Role::Admin, 201),
    row("getModuleCredential", ModuleCredential, Role::Admin, 200),
    row("rotateModuleCredential", ModuleCredential, Role::Admin, 201),
    row("revokeModuleCredential", ModuleCredential, Role::Admin, 200),
    row("listSiteCredentials", Site, Role::Admin, 200),
    row("createSiteCredential", Site, Role::Admin, 201),
    row("getSiteCredential", SiteCredential, Role::Admin, 200),
    row("rotateSiteCredential", SiteCredential, Role::Admin, 201),
    row("revokeSiteCredential", SiteCredential, Role::Admin, 200),
    row("listReadings", Module, Role::Viewer, 200),
    row("listRejects", Module, Role::Viewer, 200),
    row("createReadings", Module, Role::Admin, 200),
    row("deleteReadings", Module, Role::Admin, 202),
    row("listRollups", Module, Role::Viewer, 200),
    row("listSiteRollups", Site, Role::Viewer, 200),
    row("ingestReadings", ModuleInBody, Role::Admin, 200),
    row("ingestReadings", OrganizationInBody, Role::Admin, 200),
    row("queryTelemetry", ModuleInBody, Role::Viewer, 200),
    row("listJobs", Nowhere, Role::Nobody, 200),
    row("listJobs", OrganizationInQuery, Role::Member, 200),
    row("getJob", Job, Role::Admin, 200),
    row("retryJob", Job, Role::Admin, 200),
    row("cancelJob", Job, Role::Admin, 200),
    row("listReports", Nowhere, Role::Nobody, 200),
    row("listReports", OrganizationInQuery, Role::Member, 200),
    row("createReport", OrganizationInBody, Role::Member, 201),
    row("getReport", Report, Role::Admin, 200),
    row("updateReport", Report, Role::Admin, 200),
    row("patchReport", Report, Role::Admin, 200),
    row("archiveReport", Report, Role::Admin, 200),
    row("restoreReport", Report, Role::Admin, 200),
    row("runReport", Report, Role::Admin, 202),
    row("listReportRuns", Report, Role::Admin, 200),
    row("getReportRun", ReportRun, Role::Admin, 200),
    row("downloadReport", ReportRun, Role::Admin, 200),
    row("listAuditEvents", Nowhere, Role::Admin, 200),
    row("listAuditEvents", OrganizationInQuery, Role::Admin, 200),
    row("listOrganizationAuditEvents", Organization, Role::Admin, 200),
];

impl Place {
    /// The parameter that names the object itself.
    pub const fn key(self) -> Option<&'static str> {
        match self {
            Nowhere => None,
            Organization | OrganizationInQuery | OrganizationInBody => Some("organization_id"),
            Site | SiteInBody | SiteInRows => Some("site_id"),
            Module | ModuleInBody => Some("module_id"),
            ModuleType => Some("module_type_id"),
            Metric => Some("metric_id"),
            User | Member => Some("user_id"),
            Assignment => Some("assignment_id"),
            Invitation => Some("invitation_id"),
            Job => Some("job_id"),
            Report => Some("report_id"),
            ReportRun => Some("run_id"),
            ApiKey | OwnApiKey => Some("api_key_id"),
            ModuleCredential => Some("module_credential_id"),
            SiteCredential => Some("site_credential_id"),
        }
    }

    /// The targets that it can name.
    pub const fn targets(self) -> &'static [Target] {
        use Target::{Archived, Foreign, Lost, Own, Random, Strayed};
        match self {
            Nowhere => &[Own],
            Member | Assignment | Invitation | ApiKey | ModuleCredential | SiteCredential => {
                &[Own, Foreign, Archived, Strayed, Random, Lost]
            }
            Job => &[Own, Foreign, Random],
            OwnApiKey => &[Foreign, Random],
            ReportRun => &[Own, Foreign, Strayed, Random],
            _ => &[Own, Foreign, Archived, Random],
        }
    }

    /// What must look the same to whoever must not learn of the target.
    pub const fn twin(self, target: Target) -> Target {
        if self.is_below_a_place() && matches!(target, Target::Foreign | Target::Lost) {
            Target::Lost
        } else {
            Target::Random
        }
    }

    /// The least role that sees an active object of this kind.
    const fn seen_by(self) -> Role {
        match self {
            Nowhere => Role::Nobody,
            Organization | OrganizationInQuery | OrganizationInBody | ModuleType | Metric | Member
            | Invitation => Role::Member,
            Site | SiteInBody | SiteInRows | Module | ModuleInBody | ModuleCredential | SiteCredential => {
                Role::Viewer
            }
            User | Assignment | Job | Report | ReportRun | ApiKey | OwnApiKey => Role::Admin,
        }
    }

    /// What the caller is told of an object that he cannot see: as of one that does not exist.
    fn hidden(self, role: Role) -> u16 {
        match self {
            Organization | OrganizationInQuery | OrganizationInBody if role < Role::Superuser => 403,
            ModuleInBody | SiteInRows => 422,
            _ => 404,
        }
    }

    const fn is_below_an_organization(self) -> bool {
        matches!(self, Member | Assignment | Invitation | ApiKey)
    }

    /// Whether it lies below a site or module: who sees that and may not manage it is told so, whatever he names below it.
    const fn is_a_credential(self) -> bool {
        matches!(self, ModuleCredential | SiteCredential)
    }

    const fn is_below_a_place(self) -> bool {
        self.is_below_an_organization() || self.is_a_credential()
    }

    /// Where the object lies; an object that does not exist lies nowhere, but its path may name A.
    const fn home(self, target: Target) -> Option<Org> {
        match target {
            Target::Own | Target::Archived | Target::Strayed => Some(Org::A),
            Target::Foreign => Some(Org::B),
            Target::Random if self.is_below_a_place() => Some(Org::A),
            Target::Random | Target::Lost => None,
        }
    }
}

impl Row {
    /// The caller's role where the target lies.
    pub fn role(&self, who: Who, target: Target) -> Role {
        match self.place {
            Nowhere => who.best_role(),
            place => who.role_in(place.home(target)),
        }
    }

    /// Whether the caller must not learn that there is such an object.
    pub fn hides(&self, who: Who, target: Target) -> bool {
        let role = self.role(who, target);
        let exists = match target {
            Target::Own | Target::Foreign => true,
            Target::Archived => self.operation.starts_with("restore") && role >= self.least,
            Target::Random | Target::Strayed | Target::Lost => false,
        };
        !exists || role < self.place.seen_by() || self.place == OwnApiKey
    }

    /// The status of the operation, asked well.
    pub fn expected(&self, who: Who, target: Target) -> u16 {
        if who.is_turned_away() {
            return 401;
        }
        if self.rules_out(who) {
            return 403;
        }
        if who == Who::Device {
            return self.expected_of_a_device(target);
        }
        let role = self.role(who, target);
        if self.place.is_a_credential() && (Role::Viewer..Role::Admin).contains(&role) {
            return 403;
        }
        let is_outside = self.place.is_below_an_organization() && role < self.place.seen_by();
        if self.sends_nowhere(who) || is_outside {
            return 403;
        }
        if self.hides(who, target) {
            return self.place.hidden(role);
        }
        if role < self.least {
            return 403;
        }
        match target {
            // What is active cannot be restored.
            Target::Own | Target::Foreign if self.operation.starts_with("restore") => 409,
            // An admin sees nobody whom he could add: everybody else is invited.
            _ if self.operation == "createMember" && role == Role::Admin => 409,
            _ => self.success,
        }
    }

    /// The status of the operation with a body that cannot be read: who is refused anyhow is refused for that.
    pub fn expected_of_a_broken_body(&self, who: Who, target: Target) -> u16 {
        let names_its_object =
            !matches!(self.place, OrganizationInBody | SiteInBody | SiteInRows | ModuleInBody);
        if self.rules_out(who) {
            // Where the body says what it is about, it is read first; whoever may send nowhere is told so before that.
            let is_read_first = matches!(self.place, OrganizationInBody | SiteInBody | SiteInRows);
            let sends = self.operation == "ingestReadings" && who != Who::Device;
            return if is_read_first && !sends { 400 } else { 403 };
        }
        match self.expected(who, target) {
            401 => 401,
            403 if self.sends_nowhere(who) => 403,
            status @ (403 | 404) if names_its_object => status,
            _ => 400,
        }
    }

    /// Whether he is refused because there is no place that he may send readings to, wherever these should go.
    fn sends_nowhere(&self, who: Who) -> bool {
        self.operation == "ingestReadings" && who.best_role() < Role::Admin && who != Who::Device
    }

    /// Whether success takes the object away, so that everybody needs one of his own.
    pub fn consumes(&self) -> bool {
        let archives = self.operation.starts_with("archive") || self.operation.starts_with("restore");
        let is_of_keys = self.operation.starts_with("revoke") || self.operation.starts_with("rotate");
        archives
            || is_of_keys
            || matches!(self.operation, "moveModule" | "retryJob" | "cancelJob" | "resendInvitation")
    }

    /// The object that a list shows, and the least role that sees it there.
    pub fn shows(&self) -> Option<(&'static str, Role)> {
        match self.operation {
            "listSites" | "listOrganizationSites" => Some(("site_id", Role::Viewer)),
            "listModules" | "listOrganizationModules" | "listSiteModules" => {
                Some(("module_id", Role::Viewer))
            }
            "listModuleTypes" => Some(("module_type_id", Role::Member)),
            "listMetrics" => Some(("metric_id", Role::Member)),
            "listUsers" => Some(("user_id", Role::Admin)),
            "listMembers" => Some(("user_id", Role::Member)),
            "listAssignments" | "listUserAssignments" => Some(("assignment_id", Role::Admin)),
            "listInvitations" => Some(("invitation_id", Role::Member)),
            "listOrganizations" => Some(("organization_id", Role::Member)),
            "listJobs" => Some(("job_id", Role::Admin)),
            "listReports" => Some(("report_id", Role::Admin)),
            "listReportRuns" => Some(("run_id", Role::Admin)),
            "listUserOrganizations" | "listAuditEvents" | "listOrganizationAuditEvents" => {
                Some(("organization_id", Role::Admin))
            }
            _ => None,
        }
    }
}
