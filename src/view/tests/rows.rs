//! What metrics ask of the view: bytes, and slices that nobody works on.

use super::*;

#[test]
fn bytes_grow_with_the_rows_and_fall_when_they_go() {
    let mut stage = Stage::started();
    let bytes = |stage: &Stage| {
        let view = &stage.view;
        [
            view.pods.bytes(),
            view.services.bytes(),
            view.nodes_bytes(),
            view.endpoints.bytes(),
            view.slices.bytes(),
        ]
    };
    let empty = bytes(&stage);
    let fill = |stage: &mut Stage, count: usize| {
        let name = |n: usize| format!("a-name-of-some-length-{n}");
        stage.list_pods((0..count).map(|n| pod(&name(n), "app=web")));
        stage.list_services((0..count).map(|n| service(&name(n), &format!("app=web-{n}"))));
        stage.list_nodes((0..count).map(|n| node(&name(n), "z1")));
        stage.list_endpoints((0..count).map(|n| endpoints(&name(n))));
        stage.list_slices((0..count).map(|n| slice(&name(n), Loop::Selector, "web")));
    };
    fill(&mut stage, 100);
    let few = bytes(&stage);
    fill(&mut stage, 1000);
    let many = bytes(&stage);
    fill(&mut stage, 100);
    let again = bytes(&stage);
    for at in 0..empty.len() {
        assert!(empty[at] < 1000, "{empty:?}");
        assert!((100 * 80..100 * 2000).contains(&few[at]), "{few:?}");
        assert!(many[at] > few[at] * 5 && many[at] < few[at] * 20, "{few:?} {many:?}");
        assert!(again[at] < many[at], "{many:?} {again:?}");
    }
}

#[test]
fn slices_are_orphaned_when_their_service_is_there_and_is_not_worked_on() {
    let mut stage = Stage::started();
    stage.put_service(service("web", "app=web"));
    stage.put_service(service("plain", ""));
    stage.put_service(Service { external_name: true, ..service("external", "app=web") });
    for (name, service) in [("a", "web"), ("b", "plain"), ("c", "plain"), ("d", "external"), ("e", "missing")]
    {
        stage.put_slice(slice(name, Loop::Selector, service));
    }
    stage.put_slice(slice("f", Loop::Mirroring, "plain"));
    assert_eq!(stage.view.orphaned_slices(), 3);
}
