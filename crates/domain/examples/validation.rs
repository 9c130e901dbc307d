//! The rules of the domain over an input that did not come over HTTP: all faults at once, each with its field.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "an example tells what it finds")]

use sitewatch_domain::{Error, input::Input as _, sites::NewSite};

fn main() -> Result<(), Error> {
    let site = NewSite {
        name: " ".into(),
        timezone: Some("Mars/Olympus".into()),
        latitude: Some(91.0),
        ..NewSite::default()
    };
    let Err(Error::Invalid(faults)) = site.read()?.checked() else {
        return Err(Error::Internal("a site on Mars was let through".into()));
    };
    for fault in &faults {
        println!("{}: {}", fault.field, fault.message);
    }
    let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
    assert_eq!(fields, ["latitude", "name", "timezone"]);

    let site = NewSite {
        name: "La Haute Borne".into(),
        timezone: Some("Europe/Paris".into()),
        ..NewSite::default()
    };
    let site = site.read()?.checked()?;
    println!("{} is a good name", site.name);
    Ok(())
}
