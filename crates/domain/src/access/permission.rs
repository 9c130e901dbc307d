//! THE table: every permission, its wire name and the roles that hold it.

use std::fmt;

use super::Role;

mod sealed {
    pub trait Sealed {}
}

/// A permission as a type, so that a grant says in its own type what it allows. Implemented by the table alone.
pub trait Permission: sealed::Sealed + Send + Sync + 'static {
    /// The same permission as a value.
    const KIND: PermissionKind;
}

macro_rules! permissions {
    ($($(#[$meta:meta])* $marker:ident = $wire:literal, [$($role:ident),*];)*) => {
        /// A permission as a value, for the table and for messages.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum PermissionKind { $($(#[$meta])* $marker,)* }

        impl PermissionKind {
            /// The whole table, in its order.
            pub const ALL: &'static [Self] = &[$(Self::$marker),*];

            /// The permission's own name, unique in the table.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$marker => stringify!($marker)),* }
            }

            /// The name on the wire, which is also the scope of an API key; several permissions may share one.
            pub const fn wire_name(self) -> &'static str {
                match self { $(Self::$marker => $wire),* }
            }

            /// The roles that hold it. A superuser holds every permission and is not listed.
            pub const fn holders(self) -> &'static [Role] {
                match self { $(Self::$marker => &[$(Role::$role),*]),* }
            }
        }

        $(
            $(#[$meta])*
            #[derive(Debug)]
            pub enum $marker {}
            impl sealed::Sealed for $marker {}
            impl Permission for $marker {
                const KIND: PermissionKind = PermissionKind::$marker;
            }
        )*
    };
}

permissions! {
    /// List the users of an organization with all their fields.
    ListUsers = "users:read", [Admin];
    /// See a profile: one's own, and the profiles of an organization's members as its admin.
    ReadProfiles = "users:read", [Admin, Own];
    /// Change the name, locale and time zone of one's own profile.
    EditProfile = "profile:write", [Own];
    /// See and end one's own sessions; everybody's as a superuser.
    ManageSessions = "sessions:write", [Own];
    /// Change one's own password.
    ChangePassword = "password:write", [Own];
    /// Make, change, archive and restore users.
    ManageUsers = "users:write", [];
    /// See who is a member of an organization (id, name and role; an admin sees the addresses too).
    ReadMembers = "users:read", [Admin, Member];
    /// Add and remove members, change roles.
    ManageMembers = "users:write", [Admin];
    /// Leave an organization that one is a member of.
    LeaveOrganization = "users:write", [Admin, Member];
    /// See an organization.
    ReadOrganizations = "organizations:read", [Admin, Member];
    /// Change an organization.
    ManageOrganizations = "organizations:write", [Admin];
    /// Make, archive and restore organizations.
    AdministerOrganizations = "organizations:administer", [];
    /// See which members are assigned to what.
    ReadAssignments = "users:read", [Admin];
    /// Assign members to sites and modules.
    ManageAssignments = "users:write", [Admin];
    /// See sites. Operators and viewers: those assigned to them.
    ReadSites = "sites:read", [Admin, Operator, Viewer];
    /// Make, change, archive and restore sites.
    ManageSites = "sites:write", [Admin];
    /// See module types and metrics, built-in ones and those of one's organizations. Devices: those of their modules.
    ReadCatalogue = "modules:read", [Admin, Member, Device];
    /// Make, change, archive and restore an organization's module types and metrics.
    ManageCatalogue = "modules:write", [Admin];
    /// See modules, their state and their latest values. Devices: themselves, or the modules of their site.
    ReadModules = "modules:read", [Admin, Operator, Viewer, Device];
    /// Make, change, move, archive and restore modules.
    ManageModules = "modules:write", [Admin];
    /// Change a module's description and tags.
    AnnotateModules = "modules:annotate", [Admin, Operator];
    /// Read telemetry.
    ReadReadings = "readings:read", [Admin, Operator, Viewer];
    /// Send readings and heartbeats.
    SendReadings = "readings:write", [Admin, Device];
    /// Delete readings of a stretch of time.
    DeleteReadings = "readings:delete", [Admin];
    /// See jobs: those of the organization as its admin, and what one caused oneself.
    ReadJobs = "jobs:read", [Admin, Own];
    /// Run jobs again and take them back.
    ManageJobs = "jobs:write", [Admin];
    /// Work on jobs: the workers.
    RunJobs = "jobs:run", [];
    /// See reports and their files: those of the organization as its admin, and one's own.
    ReadReports = "reports:read", [Admin, Own];
    /// Make, change, run and archive reports: as an admin all of the organization, as a member one's own.
    WriteReports = "reports:write", [Admin, Member];
    /// Read the audit log.
    ReadAudit = "audit:read", [Admin];
    /// Make, see, change and revoke the API keys of one's own.
    ManageOwnApiKeys = "api-keys:own", [Own];
    /// Make, see, change and revoke an organization's API keys.
    ManageApiKeys = "api-keys:write", [Admin];
    /// Make, see, rotate and revoke the credentials of devices.
    ManageCredentials = "credentials:write", [Admin];
}

/// The wire names that an API key can have as scopes. A permission whose name is not here is for people alone: a new one is, until
/// somebody decides otherwise.
pub const SCOPES: &[&str] = &[
    "users:read",
    "users:write",
    "organizations:read",
    "organizations:write",
    "sites:read",
    "sites:write",
    "modules:read",
    "modules:write",
    "modules:annotate",
    "credentials:write",
    "readings:read",
    "readings:write",
    "readings:delete",
    "jobs:read",
    "jobs:write",
    "reports:read",
    "reports:write",
    "audit:read",
];

impl PermissionKind {
    /// Whether an API key can have it.
    pub fn is_scope(self) -> bool {
        SCOPES.contains(&self.wire_name())
    }

    /// Whether it is a right to look.
    pub(crate) fn is_reading(self) -> bool {
        self.wire_name().ends_with(":read")
    }

    /// Whether some role holds it that is held by membership or assignment, and not only by being an admin or a device.
    pub(crate) fn is_for_regular_users(self) -> bool {
        self.holders().iter().any(|role| !matches!(role, Role::Admin | Role::Device))
    }

    /// What an act of this right brings along besides looking: rights whose scopes a key that does it needs not have.
    pub(crate) const fn brings_along(self) -> &'static [Self] {
        match self {
            // Schedules of reports follow the calendar of their place.
            Self::ManageOrganizations | Self::ManageSites | Self::ManageModules => &[Self::WriteReports],
            // What is archived today may stand in a report of yesterday, which admins see in full.
            Self::ReadReports => &[Self::ManageModules],
            _ => &[],
        }
    }
}

impl fmt::Display for PermissionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.wire_name())
    }
}

/// The table as text, one permission a line; kept in `docs/access-matrix.txt`.
pub fn matrix() -> String {
    let line = |name: &str, wire: &str, superuser: &str, mark: &dyn Fn(Role) -> &'static str| {
        let marks: Vec<String> = Role::ALL.iter().map(|role| format!("{:>9}", mark(*role))).collect();
        format!("{name:<26}{wire:<26}{superuser:>10}{}", marks.concat())
    };
    let mut lines =
        vec!["Printed from the permission table; `make matrix` renews it.".to_owned(), String::new()];
    lines.push(line("permission", "wire name", "superuser", &Role::name));
    for kind in PermissionKind::ALL {
        let mark = |role| if kind.holders().contains(&role) { "yes" } else { "-" };
        lines.push(line(kind.name(), kind.wire_name(), "yes", &mark));
    }
    lines.push(String::new());
    lines.push(
        "admin, member: in the organization, by membership (an admin is not counted as a member).".to_owned(),
    );
    lines.push(
        "operator, viewer: for the sites and modules assigned to the member. own: everybody, for what is his own."
            .to_owned(),
    );
    lines.push("device: a device credential, for its module or the modules of its site.".to_owned());
    lines.push(format!("API keys can have these as scopes: {}.", SCOPES.join(", ")));
    lines.join("\n") + "\n"
}
