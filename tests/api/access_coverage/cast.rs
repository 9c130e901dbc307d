//! The principals, and their roles in the two organizations.

/// The two tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Org {
    A,
    B,
}

/// Roles in an organization, each with all that the ones before it may do. An operator or viewer is one of the site that the
/// coverage is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Nobody,
    Member,
    Viewer,
    Operator,
    Admin,
    Superuser,
}

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    Anonymous,
    Garbage,
    /// The token of A's admin, an hour after its end.
    Expired,
    /// The same, made for another program.
    OtherAudience,
    Deactivated,
    Superuser,
    Admin,
    OtherAdmin,
    /// Admin of B and a member of A.
    AdminAndMember,
    Operator,
    Viewer,
    Unassigned,
    /// A user without any organization.
    Outsider,
    /// An API key of A's admin, with the one scope that the operation needs.
    Key,
    /// An API key of A's admin, with every scope but that.
    KeyWithout,
    /// An API key of A itself, with the one scope that the operation needs.
    OrganizationKey,
    /// The device that is A's module.
    Device,
}

impl Who {
    /// Whoever shows a key instead of a person's token.
    pub const KEYS: &'static [Self] = &[Self::Key, Self::KeyWithout, Self::OrganizationKey, Self::Device];

    /// People.
    pub const ALL: &'static [Self] = &[
        Self::Anonymous,
        Self::Garbage,
        Self::Expired,
        Self::OtherAudience,
        Self::Deactivated,
        Self::Superuser,
        Self::Admin,
        Self::OtherAdmin,
        Self::AdminAndMember,
        Self::Operator,
        Self::Viewer,
        Self::Unassigned,
        Self::Outsider,
    ];

    /// Whether he has no good token.
    pub const fn is_turned_away(self) -> bool {
        matches!(
            self,
            Self::Anonymous | Self::Garbage | Self::Expired | Self::OtherAudience | Self::Deactivated
        )
    }

    /// His role there; a superuser is one everywhere, be it a place that does not exist.
    pub const fn role_in(self, org: Option<Org>) -> Role {
        match (self, org) {
            (Self::Superuser, _) => Role::Superuser,
            (Self::Admin | Self::Key | Self::KeyWithout | Self::OrganizationKey, Some(Org::A))
            | (Self::OtherAdmin | Self::AdminAndMember, Some(Org::B)) => Role::Admin,
            (Self::Operator, Some(Org::A)) => Role::Operator,
            (Self::Viewer, Some(Org::A)) => Role::Viewer,
            (Self::Unassigned | Self::AdminAndMember, Some(Org::A)) => Role::Member,
            _ => Role::Nobody,
        }
    }

    /// The best role that he has anywhere.
    pub fn best_role(self) -> Role {
        self.role_in(Some(Org::A)).max(self.role_in(Some(Org::B)))
    }

    /// The names that must not occur in any answer to him.
    pub fn must_not_see(self) -> Vec<&'static str> {
        if self == Self::Superuser {
            return Vec::new();
        }
        if self == Self::Device {
            return vec![B_CANARY, HIDDEN_CANARY];
        }
        let mut names = Vec::new();
        for (org, everything, place) in
            [(Org::A, A_CANARY, A_PLACE_CANARY), (Org::B, B_CANARY, B_PLACE_CANARY)]
        {
            match self.role_in(Some(org)) {
                Role::Nobody => names.push(everything),
                Role::Member => names.push(place),
                _ => {}
            }
        }
        if self.role_in(Some(Org::A)) < Role::Admin {
            names.push(HIDDEN_CANARY);
        }
        names
    }
}

/// In the name of everything that belongs to A.
pub const A_CANARY: &str = "alpha-canary";
/// In the names of its site, its module and what hangs on them, which not every member sees.
pub const A_PLACE_CANARY: &str = "alpha-canary-place";
/// In the name of everything that belongs to B.
pub const B_CANARY: &str = "beta-canary";
/// In the names of its site and module.
pub const B_PLACE_CANARY: &str = "beta-canary-place";
/// In the names of a site of A, and of a module there, that nobody is assigned to.
pub const HIDDEN_CANARY: &str = "hidden-canary";
/// In the name of everything that is archived.
pub const GONE_CANARY: &str = "gone-canary";
