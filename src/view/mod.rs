//! What the cluster looks like to us.
