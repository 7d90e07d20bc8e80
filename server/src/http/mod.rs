//! What every HTTP endpoint shares: how a request is refused, how a body is read under a cap.
