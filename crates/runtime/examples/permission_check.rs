//! The platform within another program: no HTTP, no framework of ours, an SQLite file in a folder, and the question who may do what.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "an example tells what it finds")]

use std::error::Error;

use sitewatch_domain::{
    access::{ManageSites, ReadSites, RequestContext},
    organizations::NewOrganization,
    sessions::Credentials,
    sites::NewSite,
    text::Secret,
};
use sitewatch_runtime::{
    assemble::assemble,
    config::{Config, Overrides},
    serve::prepare,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let settings = [
        ("SITEWATCH_DATA_DIR", folder.path().display().to_string()),
        ("SITEWATCH_ADMIN_EMAIL", "root@example.org".into()),
        ("SITEWATCH_ADMIN_PASSWORD", "correct horse battery".into()),
    ];
    let config = Config::load(&Overrides::default(), settings, folder.path())?.config;
    let runtime = assemble(&config).await?;
    prepare(&runtime, &config).await?;
    let platform = &runtime.platform;

    // Whoever signs in is asked for his rights at each request: what he holds is a token and no more.
    let request = RequestContext::default();
    let password = Secret::new("correct horse battery".to_owned());
    let credentials = Credentials { email: "root@example.org".into(), password };
    let tokens = platform.sessions().login(request.clone(), credentials).await?;
    let actor = platform.sessions().authenticate(request, tokens.access_token.expose()).await?;

    let new = NewOrganization { name: "Acme".into(), slug: None, timezone: None };
    let organization = platform.organizations().create(&actor, new).await?;
    // A grant is the proof of a right; what needs one takes it as an argument.
    let grant = actor.grant_in::<ManageSites>(organization.id)?;
    println!("may manage the sites of {}", grant.org());
    let new = NewSite { name: "La Haute Borne".into(), ..NewSite::default() };
    let site = platform.sites().create(&actor, organization.id, new).await?;
    assert!(actor.grant::<ReadSites>().is_ok());

    // With nothing but his own things he may do none of it.
    let nobody = actor.as_oneself()?;
    assert!(nobody.grant_in::<ManageSites>(organization.id).is_err());
    println!("{} is safe from whoever has no rights", site.name);
    Ok(())
}
