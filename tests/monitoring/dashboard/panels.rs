//! What the dashboard shows, row by row, in the order in which an operator asks: is it well, what
//! does it do, how fast, what waits, what does the API server say, what came of it.

/// How a panel looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Lines,
    Stack,
    /// The newest value, with its past behind it.
    Number,
    /// The legend of the newest value.
    Text,
}

pub struct Row {
    pub title: &'static str,
    pub height: u64,
    pub panels: Vec<Panel>,
}

pub struct Panel {
    pub title: &'static str,
    pub description: &'static str,
    pub kind: Kind,
    pub width: u64,
    /// As Grafana names it.
    pub unit: &'static str,
    /// Queries with their legends.
    pub queries: Vec<(String, &'static str)>,
    /// From which value on which colour.
    pub steps: Vec<(f64, &'static str)>,
    pub red_below_first: bool,
}

/// `METRIC` with the selector of the variables; in the definitions below it is written `METRIC{}`, and
/// with more labels `METRIC{a="b"}`.
fn chosen(query: &str) -> String {
    const CHOSEN: &str = "job=\"$job\", instance=~\"$instance\"";
    let mut whole = query.split('{').next().unwrap_or_default().to_owned();
    for part in query.split('{').skip(1) {
        let comma = if part.starts_with('}') { "" } else { ", " };
        whole += &format!("{{{CHOSEN}{comma}{part}");
    }
    whole
}

fn panel(
    kind: Kind,
    width: u64,
    title: &'static str,
    unit: &'static str,
    description: &'static str,
) -> Panel {
    Panel {
        title,
        description,
        kind,
        width,
        unit,
        queries: Vec::new(),
        steps: Vec::new(),
        red_below_first: false,
    }
}

impl Panel {
    fn query(mut self, legend: &'static str, query: &str) -> Panel {
        self.queries.push((chosen(query), legend));
        self
    }

    /// Alerts have no instance.
    fn plain(mut self, legend: &'static str, query: &str) -> Panel {
        self.queries.push((query.to_owned(), legend));
        self
    }

    fn quantiles(self, legends: [&'static str; 2], of: &str, labels: &str) -> Panel {
        let query = |quantile: &str| {
            format!(
                "histogram_quantile({quantile}, sum by ({labels}, le) (rate({of}_bucket{{}}[$__rate_interval])))"
            )
        };
        self.query(legends[0], &query("0.5")).query(legends[1], &query("0.99"))
    }

    fn yellow(mut self, from: f64) -> Panel {
        self.steps.push((from, "orange"));
        self
    }

    fn red(mut self, from: f64) -> Panel {
        self.steps.push((from, "red"));
        self
    }

    /// Red below this, green from it on.
    fn at_least(mut self, least: f64) -> Panel {
        self.steps.push((least, "green"));
        self.red_below_first = true;
        self
    }
}

pub fn rows() -> Vec<Row> {
    vec![
        Row { title: "Health", height: 4, panels: health() },
        Row { title: "Throughput", height: 7, panels: throughput() },
        Row { title: "Latency", height: 7, panels: latency() },
        Row { title: "Queues", height: 7, panels: queues() },
        Row { title: "API requests", height: 7, panels: requests() },
        Row { title: "Packing", height: 7, panels: packing() },
        Row { title: "Watches and caches", height: 7, panels: watches() },
        Row { title: "Process", height: 7, panels: process() },
    ]
}

fn health() -> Vec<Panel> {
    let number = |title, unit, description| panel(Kind::Number, 3, title, unit, description);
    vec![
        number("Replicas up", "short", "Replicas that answer a scrape.")
            .query("replicas", "sum(up{}) or vector(0)")
            .at_least(1.0),
        number("Leaders", "short", "Replicas that hold the Lease: one, or none with --leader-elect=false.")
            .query("leaders", "sum(leader_election_master_status{}) or vector(0)")
            .at_least(1.0)
            .red(2.0),
        panel(Kind::Number, 3, "Alerts firing", "short", "Alerts of the shipped rules that fire now.")
            .plain("alerts", "count(ALERTS{alertname=~\"EndpointSliceController.*\", alertstate=\"firing\"}) or vector(0)")
            .red(1.0),
        number("Services in backoff", "short", "Services whose last sync failed; each is tried again within a minute.")
            .query("Services", "sum(endpointslice_services_in_backoff{}) or vector(0)")
            .yellow(1.0),
        number("Change to write, p99", "s", "From the first change that no sync had seen to the acknowledged write.")
            .query(
                "p99",
                "histogram_quantile(0.99, sum by (le) (rate(endpointslice_change_to_write_seconds_bucket{}[$__rate_interval])))",
            )
            .yellow(1.0)
            .red(5.0),
        number("Quietest watch", "s", "The longest time without a sign of life; up to 75 s is ordinary for a resource that nobody changes.")
            .query("age", "max(endpointslice_watch_last_event_age_seconds{})")
            .yellow(90.0)
            .red(180.0),
        number("Endpoints desired", "short", "Endpoints that the leader wants in slices, of both loops.")
            .query(
                "endpoints",
                "sum(endpoint_slice_controller_endpoints_desired{} + endpoint_slice_mirroring_controller_endpoints_desired{}) or vector(0)",
            ),
        panel(Kind::Text, 3, "Version", "short", "The version of the program, of each replica.")
            .query("{{version}}", "count by (version) (endpointslice_build_info{})"),
    ]
}

fn throughput() -> Vec<Panel> {
    vec![
        panel(Kind::Stack, 8, "Slice writes", "ops", "Acknowledged writes of EndpointSlices, both loops.")
            .query("{{operation}}", "sum by (operation) (rate(endpoint_slice_controller_changes{}[$__rate_interval]))")
            .query(
                "{{operation}} (mirrored)",
                "sum by (operation) (rate(endpoint_slice_mirroring_controller_changes{}[$__rate_interval]))",
            ),
        panel(Kind::Lines, 8, "Syncs", "ops", "Syncs of the selector loop by their result, and those of either loop that failed and are tried again.")
            .query("{{result}}", "sum by (result) (rate(endpoint_slice_controller_syncs{}[$__rate_interval]))")
            .query(
                "mirrored",
                "sum(rate(endpoint_slice_mirroring_controller_endpoints_sync_duration_count{}[$__rate_interval]))",
            )
            .query("failed ({{loop}})", "sum by (loop) (rate(endpointslice_sync_failures_total{}[$__rate_interval]))"),
        panel(Kind::Lines, 8, "Endpoints added and removed", "ops", "Endpoints that came into slices and left them, both loops.")
            .query(
                "added",
                "sum(rate(endpoint_slice_controller_endpoints_added_per_sync_sum{}[$__rate_interval])) \
                 + sum(rate(endpoint_slice_mirroring_controller_endpoints_added_per_sync_sum{}[$__rate_interval]))",
            )
            .query(
                "removed",
                "sum(rate(endpoint_slice_controller_endpoints_removed_per_sync_sum{}[$__rate_interval])) \
                 + sum(rate(endpoint_slice_mirroring_controller_endpoints_removed_per_sync_sum{}[$__rate_interval]))",
            ),
    ]
}

fn latency() -> Vec<Panel> {
    vec![
        panel(
            Kind::Lines,
            12,
            "Change to write",
            "s",
            "From the first change that no sync had seen to the acknowledged write that it led to.",
        )
        .quantiles(
            ["p50 ({{loop}})", "p99 ({{loop}})"],
            "endpointslice_change_to_write_seconds",
            "loop",
        ),
        panel(
            Kind::Lines,
            12,
            "Sync duration",
            "s",
            "How long the work on one Service took, its writes included.",
        )
        .quantiles(["p50 ({{name}})", "p99 ({{name}})"], "workqueue_work_duration_seconds", "name"),
    ]
}

fn queues() -> Vec<Panel> {
    let lines = |width, title, unit, description| panel(Kind::Lines, width, title, unit, description);
    vec![
        lines(4, "Depth", "short", "Services that wait to be synced.")
            .query("{{name}}", "sum by (name) (workqueue_depth{})"),
        lines(
            6,
            "Adds and retries",
            "ops",
            "Services that were queued, and those queued for later, retries among them.",
        )
        .query("{{name}}", "sum by (name) (rate(workqueue_adds_total{}[$__rate_interval]))")
        .query("{{name}} later", "sum by (name) (rate(workqueue_retries_total{}[$__rate_interval]))"),
        lines(6, "Wait in the queue", "s", "How long a Service waited before it was synced.").quantiles(
            ["p50 ({{name}})", "p99 ({{name}})"],
            "workqueue_queue_duration_seconds",
            "name",
        ),
        lines(
            4,
            "Services in backoff",
            "short",
            "Services whose last sync failed and that are to be tried again.",
        )
        .query("{{loop}}", "sum by (loop) (endpointslice_services_in_backoff{})"),
        lines(
            4,
            "Longest sync in hand",
            "s",
            "How long the longest sync that has not ended has been running.",
        )
        .query("{{name}}", "max by (name) (workqueue_longest_running_processor_seconds{})"),
    ]
}

fn requests() -> Vec<Panel> {
    vec![
        panel(
            Kind::Stack,
            8,
            "Requests by answer",
            "reqps",
            "Requests to the API server by status code; <error> is one without an answer.",
        )
        .query("{{code}}", "sum by (code) (rate(rest_client_requests_total{}[$__rate_interval]))"),
        panel(
            Kind::Stack,
            8,
            "Requests by method",
            "reqps",
            "Requests to the API server by HTTP method; PUT is most of the work, and the Lease.",
        )
        .query("{{method}}", "sum by (method) (rate(rest_client_requests_total{}[$__rate_interval]))"),
        panel(
            Kind::Lines,
            8,
            "Request duration",
            "s",
            "From sending a request to its answer, by HTTP method; watches are not in it.",
        )
        .quantiles(["p50 {{verb}}", "p99 {{verb}}"], "rest_client_request_duration_seconds", "verb"),
    ]
}

fn packing() -> Vec<Panel> {
    vec![
        panel(Kind::Lines, 8, "Slices", "short", "EndpointSlices that exist, and how many full ones would do.")
            .query("exist", "sum(endpoint_slice_controller_num_endpoint_slices{})")
            .query("desired", "sum(endpoint_slice_controller_desired_endpoint_slices{})")
            .query("exist (mirrored)", "sum(endpoint_slice_mirroring_controller_num_endpoint_slices{})")
            .query("desired (mirrored)", "sum(endpoint_slice_mirroring_controller_desired_endpoint_slices{})"),
        panel(Kind::Lines, 4, "Slices for each desired one", "short", "1 is ideal; an alert comes above 2.")
            .query(
                "ratio",
                "(sum(endpoint_slice_controller_num_endpoint_slices{}) + sum(endpoint_slice_mirroring_controller_num_endpoint_slices{})) \
                 / (sum(endpoint_slice_controller_desired_endpoint_slices{}) + sum(endpoint_slice_mirroring_controller_desired_endpoint_slices{}))",
            ),
        panel(Kind::Lines, 4, "Orphaned slices", "short", "EndpointSlices of Services that lost their selector: they stay, by design.")
            .query("orphaned", "sum(endpointslice_orphaned_slices{}) or vector(0)"),
        panel(Kind::Stack, 4, "Services without endpoints", "short", "Services for which no endpoint is desired, by the reason.")
            .query("{{reason}}", "sum by (reason) (endpointslice_services_without_endpoints{})"),
        panel(Kind::Stack, 4, "Traffic distribution", "short", "Services by the trafficDistribution that is in force.")
            .query(
                "{{traffic_distribution}}",
                "sum by (traffic_distribution) (endpoint_slice_controller_services_count_by_traffic_distribution{})",
            ),
    ]
}

fn watches() -> Vec<Panel> {
    vec![
        panel(Kind::Lines, 6, "Sign of life", "s", "Seconds since the last sign of life on the stream of each resource, of the replica that hears least.")
            .query("{{resource}}", "max by (resource) (endpointslice_watch_last_event_age_seconds{})"),
        panel(Kind::Stack, 6, "Watches begun again", "ops", "Watches that ended and lists that were begun again, by the reason. \"end\" and \"silent\" are ordinary.")
            .query("{{reason}}", "sum by (reason) (rate(endpointslice_watch_restarts_total{}[$__rate_interval])) > 0 or vector(0)"),
        panel(Kind::Lines, 6, "Objects held", "short", "Objects in memory, of the replica that holds most.")
            .query("{{resource}}", "max by (resource) (endpointslice_cache_objects{})"),
        panel(Kind::Lines, 6, "Left out", "short", "Objects that cannot be decoded now, and addresses refused within the last hour, because the API server would refuse them.")
            .query("undecodable {{resource}}", "max by (resource) (endpointslice_undecodable_objects{}) > 0 or vector(0)")
            .query("refused {{reason}}", "sum by (reason) (increase(endpointslice_addresses_refused_total{}[1h])) > 0 or vector(0)"),
    ]
}

fn process() -> Vec<Panel> {
    let lines = |width, title, unit, description| panel(Kind::Lines, width, title, unit, description);
    vec![
        lines(6, "CPU", "short", "Cores that each replica uses.")
            .query("{{instance}}", "rate(process_cpu_seconds_total{}[$__rate_interval])"),
        lines(6, "Memory", "bytes", "Resident memory of each replica; and what the kept objects take of it, of the replica that holds most.")
            .query("{{instance}}", "process_resident_memory_bytes{}")
            .query("kept objects (estimated)", "max(sum by (instance) (endpointslice_cache_bytes{}))"),
        lines(4, "Leader", "short", "1 for the replica that holds the Lease.")
            .query("{{instance}}", "max by (instance) (leader_election_master_status{})"),
        lines(4, "Uptime", "s", "Time since the start of each process.")
            .query("{{instance}}", "time() - process_start_time_seconds{}"),
        lines(4, "Open files", "short", "Open file descriptors, connections among them.")
            .query("{{instance}}", "process_open_fds{}"),
    ]
}
