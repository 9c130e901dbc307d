//! What an API key or a device credential must have for each operation: the columns K and D of the permission table.

use super::{
    cast::Who,
    table::{Place, Row, Target},
};

/// What a key needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Nothing: whoever has proven who he is.
    Free,
    /// Whatever it has, it may not: this is for people.
    People,
    /// This scope, and no other.
    Scope(&'static str),
}

/// What a key needs for an operation; one that is not told here fails.
pub fn right_of(operation: &str) -> Right {
    use Right::{Free, People, Scope};
    match operation {
        "getMe" | "getOwnUser" | "listPermissions" | "listOwnPermissions" => Free,
        "patchMe"
        | "logout"
        | "logoutAll"
        | "changePassword"
        | "createOrganization"
        | "archiveOrganization"
        | "restoreOrganization" => People,
        name if name.contains("ApiKey") || name.contains("Session") => People,
        name if name.ends_with("Credential") || name.ends_with("Credentials") => Scope("credentials:write"),
        "listUsers"
        | "getUser"
        | "listUserOrganizations"
        | "listUserAssignments"
        | "listMembers"
        | "listAssignments"
        | "getAssignment"
        | "listInvitations"
        | "getInvitation" => Scope("users:read"),
        "createUser" | "updateUser" | "patchUser" | "archiveUser" | "restoreUser" | "createMember"
        | "updateMember" | "patchMember" | "archiveMember" | "createAssignment" | "updateAssignment"
        | "patchAssignment" | "archiveAssignment" | "createInvitation" | "revokeInvitation"
        | "resendInvitation" => Scope("users:write"),
        "listOrganizations" | "getOrganization" => Scope("organizations:read"),
        "updateOrganization" | "patchOrganization" => Scope("organizations:write"),
        "listSites" | "getSite" | "getSiteSummary" | "listOrganizationSites" => Scope("sites:read"),
        "createSite"
        | "createSitesInBulk"
        | "updateSite"
        | "patchSite"
        | "archiveSite"
        | "restoreSite"
        | "createOrganizationSite" => Scope("sites:write"),
        "listModuleTypes"
        | "getModuleType"
        | "listMetrics"
        | "getMetric"
        | "listModules"
        | "getModule"
        | "listLatest"
        | "listSiteModules"
        | "listOrganizationModules" => Scope("modules:read"),
        "createModuleType"
        | "updateModuleType"
        | "patchModuleType"
        | "archiveModuleType"
        | "restoreModuleType"
        | "createMetric"
        | "updateMetric"
        | "patchMetric"
        | "archiveMetric"
        | "restoreMetric"
        | "createModule"
        | "updateModule"
        | "patchModule"
        | "archiveModule"
        | "restoreModule"
        | "moveModule"
        | "createSiteModule"
        | "createModulesInBulk" => Scope("modules:write"),
        "sendHeartbeat" | "createReadings" | "ingestReadings" => Scope("readings:write"),
        "listReadings" | "listRejects" | "listRollups" | "listSiteRollups" | "queryTelemetry" => {
            Scope("readings:read")
        }
        "deleteReadings" => Scope("readings:delete"),
        "listJobs" | "getJob" => Scope("jobs:read"),
        "retryJob" | "cancelJob" => Scope("jobs:write"),
        "listReports" | "getReport" | "listReportRuns" | "getReportRun" | "downloadReport" => {
            Scope("reports:read")
        }
        "createReport" | "updateReport" | "patchReport" | "archiveReport" | "restoreReport" | "runReport" => {
            Scope("reports:write")
        }
        "listAuditEvents" | "listOrganizationAuditEvents" => Scope("audit:read"),
        other => panic!("what does an API key need for {other}?"),
    }
}

impl Row {
    /// Whether what he shows rules the operation out, whatever it is about.
    pub fn rules_out(&self, who: Who) -> bool {
        let right = right_of(self.operation);
        match who {
            Who::Key => right == Right::People,
            Who::OrganizationKey => {
                right == Right::People || matches!(self.operation, "getMe" | "getOwnUser")
            }
            Who::KeyWithout => right != Right::Free,
            Who::Device => !self.is_for_devices(),
            _ => false,
        }
    }

    fn is_for_devices(&self) -> bool {
        let names_no_organization =
            !matches!(self.place, Place::OrganizationInQuery | Place::OrganizationInBody);
        let operations = [
            "getModule",
            "listModules",
            "listLatest",
            "sendHeartbeat",
            "createReadings",
            "ingestReadings",
            "listModuleTypes",
            "getModuleType",
            "listMetrics",
            "getMetric",
        ];
        names_no_organization && operations.contains(&self.operation)
    }

    /// The status for a device, of an operation that is for devices.
    pub fn expected_of_a_device(&self, target: Target) -> u16 {
        match (self.place, target) {
            (_, Target::Own) => self.success,
            (Place::ModuleInBody, _) => 422,
            _ => 404,
        }
    }
}
