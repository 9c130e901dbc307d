//! Gateways: modules through which others report, at the same site.

use std::sync::Arc;

use reqwest::Method;
use serde_json::json;
use sitewatch_tests::world::{Backend, World};

use crate::meetings::{request, rounds, together};

pub async fn gateways_stand_at_their_site_and_in_no_circle(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let kind = world.module_type(&org, "T", &["power"]).await;
    let (here, there) = (world.site(&org, "Here").await, world.site(&org, "There").await);
    let (a, b) = (world.module(&here, &kind, "A").await, world.module(&here, &kind, "B").await);
    let (c, far) = (world.module(&here, &kind, "C").await, world.module(&there, &kind, "Far").await);
    let behind = async |module: &str, gateway: &str| {
        let body = json!({ "parent_module_id": gateway });
        world.root.patch(&format!("/api/v1/modules/{module}"), body).await
    };
    behind(&a, &b).await.expect(200);
    behind(&b, &c).await.expect(200);
    for (module, gateway) in [(&c, &a), (&c, &b), (&c, &c), (&a, &far)] {
        assert_eq!(behind(module, gateway).await.expect(422).faults(), ["parent_module_id"]);
    }
    let body = json!({ "name": "D", "module_type_id": kind, "parent_module_id": far });
    let refused = world.root.post(&format!("/api/v1/sites/{here}/modules"), body).await.expect(422);
    assert_eq!(refused.faults(), ["parent_module_id"]);
}

pub async fn a_gateway_stays_while_modules_report_through_it(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let kind = world.module_type(&org, "T", &["power"]).await;
    let (here, there) = (world.site(&org, "Here").await, world.site(&org, "There").await);
    let gateway = world.module(&here, &kind, "Gateway").await;
    let body = json!({ "name": "Sensor", "module_type_id": kind, "parent_module_id": gateway });
    let sensor = world.root.post(&format!("/api/v1/sites/{here}/modules"), body).await.expect(201).id();
    let (gateway, sensor) = (format!("/api/v1/modules/{gateway}"), format!("/api/v1/modules/{sensor}"));
    let refused = world.root.delete(&gateway).await.expect(409);
    assert_eq!(refused.error_type(), "conflict");
    world.root.post(&format!("{gateway}/move"), json!({ "site_id": there })).await.expect(409);

    // Both go and return with their site.
    let site = format!("/api/v1/sites/{here}");
    world.root.delete(&site).await.expect(200);
    world.root.act(&format!("{site}/restore")).await.expect(200);
    assert!(world.root.get(&sensor).await.expect(200).data()["parent_module_id"].is_string());

    // A sensor does not return to a gateway that is gone.
    world.root.delete(&sensor).await.expect(200);
    world.root.delete(&gateway).await.expect(200);
    world.root.act(&format!("{sensor}/restore")).await.expect(409);
    world.root.act(&format!("{gateway}/restore")).await.expect(200);
    world.root.act(&format!("{sensor}/restore")).await.expect(200);

    // Whoever is moved leaves the gateway behind, which is then free to go.
    let moved = world.root.post(&format!("{sensor}/move"), json!({ "site_id": there })).await.expect(200);
    assert!(moved.data()["parent_module_id"].is_null());
    world.root.delete(&gateway).await.expect(200);
}

pub async fn changes_of_gateways_at_once_close_no_circle(backend: Arc<Backend>) {
    let world = World::start(&backend).await;
    let org = world.organization("A").await;
    let kind = world.module_type(&org, "T", &["power"]).await;
    let site = world.site(&org, "S").await;
    for round in 0..rounds() {
        let mut modules = Vec::new();
        for name in ["a", "b", "c"] {
            modules.push(world.module(&site, &kind, &format!("{name}{round}")).await);
        }
        let through = |module: usize, gateway: usize| {
            let body = Some(json!({ "parent_module_id": modules[gateway] }));
            request(&world.root, Method::PATCH, format!("/api/v1/modules/{}", modules[module]), body)
        };
        together(vec![through(0, 1), through(1, 2), through(2, 0)]).await;
        let mut behind = 0;
        for module in &modules {
            let data = world.root.get(&format!("/api/v1/modules/{module}")).await.expect(200).data();
            behind += usize::from(data["parent_module_id"].is_string());
        }
        assert!(behind < modules.len(), "round {round}: a circle");
    }
}
