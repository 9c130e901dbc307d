//! The bounds of moments in lists: one place for the names that are read and that the document tells.

use utoipa::{
    IntoParams,
    openapi::{
        ObjectBuilder, Required,
        path::{Parameter, ParameterBuilder, ParameterIn},
        schema::{KnownFormat, SchemaFormat, Type},
    },
};

macro_rules! bounds {
    ($type:ident, $name:literal, $doc:literal) => {
        #[doc = $doc]
        pub(crate) struct $type;

        impl $type {
            /// The parameters, in the order that `Query::between` takes them.
            pub(crate) const NAMES: &'static [&'static str; 4] = &[
                concat!($name, "[gte]"),
                concat!($name, "[gt]"),
                concat!($name, "[lte]"),
                concat!($name, "[lt]"),
            ];
        }

        impl IntoParams for $type {
            fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
                documented($name, Self::NAMES)
            }
        }
    };
}

bounds!(At, "at", "When something was done.");
bounds!(CreatedAt, "created_at", "When an object was made.");
bounds!(LastSeenAt, "last_seen_at", "When a module last reported.");
bounds!(UpdatedAt, "updated_at", "When an object was last changed.");

fn documented(field: &str, names: &[&str; 4]) -> Vec<Parameter> {
    let ways = [
        "at this time or later",
        "later than this time",
        "at this time or earlier",
        "earlier than this time",
    ];
    let parameter = |(name, way): (&&str, &str)| {
        let format = Some(SchemaFormat::KnownFormat(KnownFormat::DateTime));
        let schema = ObjectBuilder::new().schema_type(Type::String).format(format).build();
        ParameterBuilder::new()
            .name(*name)
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .description(Some(format!("`{field}` {way}; RFC 3339 with an offset.")))
            .schema(Some(schema))
            .build()
    };
    names.iter().zip(ways).map(parameter).collect()
}
