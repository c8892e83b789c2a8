//! What is served: /metrics, /livez, /readyz, /healthz.
