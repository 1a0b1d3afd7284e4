"""The audit story: one genie audits, another one collects, an endpoint lies between them."""
