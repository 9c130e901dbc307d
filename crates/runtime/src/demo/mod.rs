//! A real wind farm, La Haute Borne, loaded through the public API.

mod farm;

use std::io::Write as _;

use serde_json::Value;
use sitewatch_domain::text::Secret;

use crate::{
    client::{ApiClient, ClientError},
    import::{ImportError, Mapping, Summary, load, progress_bar},
};

pub(crate) use farm::{ADMIN_EMAIL, ADMIN_NAME, ORGANIZATION, TIMEZONE};

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// The server; the one of the settings if not given. If none answers there, one is started
    #[arg(long)]
    pub(crate) url: Option<String>,
}

/// The readings of the demonstration: ten-minute values of four turbines.
///
/// "ENGIE, La Haute Borne wind farm open data", Etalab Open Licence 2.0.
pub fn sample_csv() -> &'static str {
    include_str!("la_haute_borne/scada-sample.csv")
}

/// The turbines of the demonstration.
pub fn turbines_csv() -> &'static str {
    include_str!("la_haute_borne/turbines.csv")
}

/// Why the demonstration stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// The demonstration's user cannot sign in.
    #[error(transparent)]
    SignIn(ClientError),
    /// The server did not take it.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The readings could not be loaded.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The result cannot be written.
    #[error("the result cannot be written: {0}")]
    Output(#[from] std::io::Error),
}

/// Loads the farm into an organization that the user of the client administers, and prints what to try next. Loading it
/// again changes nothing.
pub(crate) async fn load_farm(
    base: &str,
    organization: &str,
    password: &Secret<String>,
) -> Result<(), DemoError> {
    let client = ApiClient::login(base, ADMIN_EMAIL, password).await.map_err(DemoError::SignIn)?;
    let modules = farm::build(&client, organization).await?;
    let mapping = Mapping {
        module_column: Some("Wind_turbine_name".into()),
        module: None,
        time_column: "Date_time".into(),
        metrics: farm::METRICS.iter().map(|metric| (metric.key.to_owned(), metric.key.to_owned())).collect(),
        delimiter: b',',
        batch_size: 2_000,
        organization: Some(organization.to_owned()),
    };
    let bar = progress_bar(u64::try_from(sample_csv().len()).unwrap_or(0));
    bar.set_message("La Haute Borne");
    let summary = load(Some(&client), sample_csv().as_bytes(), &mapping, &bar).await?;
    bar.finish_and_clear();
    Ok(std::io::stdout().write_all(report(&client, password, &modules, &summary).as_bytes())?)
}

fn report(client: &ApiClient, password: &Secret<String>, modules: &[String], summary: &Summary) -> String {
    let (base, token) = (client.base(), client.token());
    let token = token.expose();
    let first = modules.first().map(String::as_str).unwrap_or_default();
    let ids = Value::from(modules.to_vec());
    format!(
        "La Haute Borne is loaded.\n\n{summary}\n\n\
         The conflicts are real: on 2014-03-30 the file tells the local times 03:00 to 03:50 twice; the first value stays.\n\n\
         user      {ADMIN_EMAIL}\npassword  {password}\n\n\
         Try these lines (the token in them is good for 15 minutes):\n\n\
         curl -s -H 'Authorization: Bearer {token}' {base}/api/v1/sites\n\n\
         curl -s -H 'Authorization: Bearer {token}' {base}/api/v1/modules/{first}/latest\n\n\
         curl -s -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' {base}/api/v1/telemetry/query \
         -d '{{\"modules\":{ids},\"metrics\":[\"P_avg\"],\"from\":\"2014-03-28T00:00:00+01:00\",\"to\":\"2014-04-03T00:00:00+02:00\",\
         \"interval\":\"P1D\",\"timezone\":\"Europe/Paris\",\"aggregates\":[\"avg\",\"count\"]}}'\n\n\
         A fresh token:\n\n\
         curl -s -H 'Content-Type: application/json' {base}/api/v1/auth/login \
         -d '{{\"email\":\"{ADMIN_EMAIL}\",\"password\":\"{password}\"}}'\n",
        password = password.expose(),
    )
}
