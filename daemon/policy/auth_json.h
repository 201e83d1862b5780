/* auth_json.h - a verdict as JSON: what the REST API and `verify auth --json` show. */
#ifndef POLICY_AUTH_JSON_H
#define POLICY_AUTH_JSON_H

#include "ext/json.h"
#include "policy/auth_check.h"

/* Appends the members of an open object: iprev, spf, spf_helo, dkim, arc, dmarc,
   disposition (of `applied`) and trusted_sealer. */
void auth_json_members(struct json_out *j, const struct auth_verdict *verdict,
                       enum dmarc_policy applied);

#endif
