"""The site as one table. A row without an entry in the permission table stops the start, so does a name that stands twice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web as aioweb

from drawing.errors import Refused
from server.handlers import (
    account,
    api_approvals,
    api_bidders,
    api_draws,
    api_exchange,
    api_people,
    api_supervision,
    approvals,
    audit,
    bidders,
    complaints,
    demo,
    draw_keys,
    draw_request,
    draws,
    first_day,
    gallery,
    gateway,
    imports,
    keys,
    library,
    log,
    notices,
    openapi,
    own_record,
    people,
    projects,
    public,
    publication,
    published,
    replies,
    retention,
    sign_in,
    single_sign_on,
    static,
    statistics,
    status,
    supervision,
    tokens,
    unsealing,
    webhooks,
)
from server.handlers.ask import Kind, Permissions, Route
from server.handlers.middleware import ASK, ROUTES
from server.handlers.repeats import once

PUBLIC = "public"  # the permission that everybody has
GET, POST = "GET", "POST"
DONE = api_people.DoneJson
KEEPER = ("keeper_missing", "sealed")
PAGE, API, PLAIN = Kind.PAGE, Kind.API, Kind.PUBLIC

TABLE: tuple[Route, ...] = (
    Route(GET, "/", "home", public.home, PUBLIC, PAGE),
    Route(GET, "/verify", "verify", public.verify, PUBLIC, PAGE),
    Route(GET, "/verify/page", "verifier", public.verifier, PUBLIC, PLAIN),
    Route(GET, "/verify/lotroom-verify.html", "verifier_file", public.verifier_file, PUBLIC, PLAIN),
    Route(GET, "/proofs/{name:[a-z0-9][a-z0-9-]{0,60}}.json", "proof", published.proof, PUBLIC, PLAIN),
    Route(GET, "/status", "status", status.status, PUBLIC, PAGE),
    Route(GET, "/status/updates", "status_updates", status.updates, PUBLIC, PAGE, stream=True),
    Route(POST, "/preferences", "preferences", public.preferences, PUBLIC, PAGE),
    Route(GET, "/health/live", "live", status.live, PUBLIC, PLAIN),
    Route(GET, "/health/ready", "ready", status.ready, PUBLIC, PLAIN),
    Route(GET, "/static/{digest:[0-9a-f]{16}}/{name:[a-zA-Z0-9_./-]{1,120}}", "static", static.file, PUBLIC, PLAIN),
    Route(GET, "/checkpoint", "log_checkpoint", log.checkpoint, PUBLIC, PLAIN),
    Route(GET, "/tile/{rest:[a-z0-9/.]{1,90}}", "log_tile", log.tile, PUBLIC, PLAIN),
    Route(GET, "/api/openapi.json", "openapi", openapi.document, PUBLIC, API, "This description"),
    Route(GET, "/api/status", "api_status", status.status_json, PUBLIC, API, "State of the service", gives=status.StatusJson),
    Route(
        GET,
        "/api/checkpoint",
        "api_checkpoint",
        status.checkpoint_json,
        PUBLIC,
        API,
        "Newest checkpoint of the log",
        gives=status.CheckpointJson,
        fails=("not_found",),
    ),
    Route(GET, "/gallery", "gallery", gallery.gallery, PUBLIC, PAGE, demo_only=True),
    Route(GET, "/gallery/{name:[a-z0-9-]{1,40}}", "gallery_page", gallery.sample, PUBLIC, PAGE, demo_only=True),
    Route(POST, "/gallery/form", "gallery_form", gallery.form, PUBLIC, PAGE, demo_only=True),
)


ID = "{id:[0-9a-f]{32}}"
INVITATION = "/invitation/{code:[A-Za-z0-9_-]{43}}"
REPLY = "/r/{code:[A-Za-z0-9_-]{16,64}}"
# Pages of people who sign in; there where the service has a store and a keeper. Permissions are names of `auth.permissions`.
DESK: tuple[Route, ...] = (
    Route(GET, "/sign-in", "sign_in", sign_in.first_page, "login.begin", PAGE),
    Route(POST, "/sign-in", "sign_in_password", sign_in.first, "login.begin", PAGE),
    Route(POST, "/sign-in/passkey/options", "sign_in_passkey_options", sign_in.passkey_options, "login.begin", PAGE),
    Route(POST, "/sign-in/passkey", "sign_in_passkey", sign_in.passkey, "login.begin", PAGE),
    Route(GET, "/sign-in/sso", "sso", single_sign_on.begin, "login.begin", PAGE),
    Route(GET, "/sign-in/sso/back", "sso_back", single_sign_on.back, "login.begin", PAGE),
    Route(GET, "/sign-in/second", "second_factor", sign_in.second_page, "login.second_factor", PAGE),
    Route(POST, "/sign-in/second", "second_factor_shown", sign_in.second, "login.second_factor", PAGE),
    Route(POST, "/sign-in/second/options", "second_factor_options", sign_in.second_options, "login.second_factor", PAGE),
    Route(GET, "/step-up", "step_up", sign_in.step_up_page, "account.step_up", PAGE),
    Route(POST, "/step-up", "step_up_shown", sign_in.step_up, "account.step_up", PAGE),
    Route(POST, "/sign-out", "sign_out", sign_in.sign_out, "login.end", PAGE),
    Route(GET, INVITATION, "invitation", account.invited_page, "ticket.redeem", PAGE),
    Route(POST, INVITATION, "invitation_password", account.invited, "ticket.redeem", PAGE),
    Route(POST, INVITATION + "/confirm", "invitation_confirm", account.invited_confirm, "ticket.redeem", PAGE),
    Route(GET, "/first-day", "first_day", first_day.show, "ticket.redeem", PAGE),
    Route(POST, "/first-day", "first_day_secret", first_day.begin, "ticket.redeem", PAGE),
    Route(POST, "/first-day/options", "first_day_options", first_day.options, "ticket.redeem", PAGE),
    Route(POST, "/first-day/administrator", "first_day_administrator", first_day.enrol, "ticket.redeem", PAGE),
    Route(GET, "/account", "account", account.show, "account.read", PAGE),
    Route(POST, "/account/password", "account_password", account.password, "account.change_password", PAGE),
    Route(POST, "/account/totp", "account_totp", account.totp, "account.enrol_factor", PAGE),
    Route(POST, "/account/totp/confirm", "account_totp_confirm", account.totp_confirm, "account.enrol_factor", PAGE),
    Route(POST, "/account/passkeys/options", "account_passkey_options", account.passkey_options, "account.enrol_factor", PAGE),
    Route(POST, "/account/passkeys", "account_passkey", account.passkey, "account.enrol_passkey", PAGE),
    Route(POST, "/account/recovery", "account_recovery", account.recovery, "account.recovery_codes", PAGE),
    Route(POST, f"/account/logins/{ID}/end", "account_login_end", account.end_login, "account.revoke_login", PAGE),
    Route(POST, "/account/sign-out-everywhere", "sign_out_everywhere", account.sign_out_everywhere, "account.revoke_login", PAGE),
    Route(POST, f"/account/passkeys/{ID}/remove", "account_passkey_remove", account.remove_passkey, "account.remove_factor", PAGE),
    Route(GET, "/key-list", "key_list", keys.listed, "public.read", PAGE),
    Route(GET, "/keys.json", "keys_file", keys.file, "public.read", PLAIN),
    Route(GET, "/my-key", "my_key", keys.mine, "keys.make", PAGE),
    Route(POST, "/my-key", "my_key_handed_in", keys.hand_in, "keys.enrol", PAGE),
    Route(GET, "/key-list/next", "next_list", keys.coming, "keys.overview", PAGE),
    Route(POST, "/key-list/next", "next_list_built", keys.build, "keys.list", PAGE),
    Route(POST, "/key-list/next/keys", "next_list_key", keys.add, "keys.collect", PAGE),
    Route(POST, f"/key-list/next/keys/{ID}/drop", "next_list_key_dropped", keys.drop, "keys.collect", PAGE),
    Route(POST, "/key-list/next/sign", "next_list_signed", keys.sign, "keys.sign", PAGE),
    Route(POST, "/key-list/next/propose", "next_list_proposed", keys.propose, "keys.list", PAGE),
    Route(GET, f"/draws/{ID}/contribute", "contribute", draw_keys.contributing, "draw.contribute", PAGE),
    Route(POST, f"/draws/{ID}/contribute", "contributed", draw_keys.contribute, "draw.contribute", PAGE),
    Route(GET, f"/draws/{ID}/sign/{{type:[a-z]{{3,12}}}}", "draft", draw_keys.draft, "draw.sign", PAGE),
    Route(POST, f"/draws/{ID}/sign/{{type:[a-z]{{3,12}}}}", "draft_signed", draw_keys.sign, "draw.sign", PAGE),
    Route(GET, f"/draws/{ID}/stop", "stop", draw_keys.stopping, "draw.sign", PAGE),
    Route(POST, f"/draws/{ID}/stop", "stopped", draw_keys.stop, "draw.sign", PAGE),
    Route(GET, "/library", "library", library.show, "library.read", PAGE),
    Route(GET, "/library/add", "library_add", library.add_page, "library.edit", PAGE),
    Route(POST, "/library/add", "library_added", library.add, "library.edit", PAGE),
    Route(GET, f"/library/experts/{ID}", "expert", library.one, "library.read", PAGE),
    Route(POST, f"/library/experts/{ID}/open", "expert_open", library.open_record, "library.unmask", PAGE),
    Route(POST, f"/library/experts/{ID}", "expert_change", library.change, "library.edit", PAGE),
    Route(POST, f"/library/experts/{ID}/connect", "expert_connect", library.connect, own_record.CONNECT, PAGE),
    Route(POST, f"/library/experts/{ID}/shut", "expert_shut", library.shut, "library.edit", PAGE),
    Route(GET, "/library/imports", "imports", imports.recent, "library.read", PAGE),
    Route(POST, "/library/imports", "import_new", imports.bring, "library.import", PAGE, upload=True, most_bytes=imports.MOST_BODY),
    Route(GET, f"/library/imports/{ID}", "import", imports.show, "library.read", PAGE),
    Route(GET, f"/library/imports/{ID}/updates", "import_updates", imports.updates, "library.read", PAGE, stream=True),
    Route(GET, f"/library/imports/{ID}/rows", "import_rows", imports.rows, "library.import", PAGE),
    Route(POST, f"/library/imports/{ID}/rows", "import_mend", imports.mend, "library.import", PAGE),
    Route(GET, f"/library/imports/{ID}/rejects.csv", "import_rejects", imports.rejects, "library.import", PAGE),
    Route(POST, f"/library/imports/{ID}/leave-out", "import_leave_out", imports.leave_out, "library.import", PAGE),
    Route(POST, f"/library/imports/{ID}/finish", "import_finish", imports.finish, "pool.edit", PAGE),
    Route(POST, f"/library/imports/{ID}/go-on", "import_go_on", imports.go_on, "library.import", PAGE),
    Route(POST, f"/library/imports/{ID}/drop", "import_drop", imports.drop, "library.import", PAGE),
    Route(GET, "/library/template.csv", "library_template", imports.template, "library.read", PAGE),
    Route(GET, "/people", "people", people.show, "people.list", PAGE),
    Route(POST, "/people", "people_invite", people.invite, "people.invite", PAGE),
    Route(GET, f"/people/{ID}", "person", people.person, "people.read", PAGE),
    Route(POST, f"/people/{ID}/roles", "person_role", people.ask_for_role, "people.grant_role", PAGE),
    Route(POST, f"/people/{ID}/roles/end", "person_role_end", people.ask_to_revoke, "people.revoke_role", PAGE),
    Route(POST, f"/people/{ID}/suspend", "person_suspend", people.suspend, "people.suspend", PAGE),
    Route(POST, f"/people/{ID}/close", "person_close", people.close, "people.close", PAGE),
    Route(POST, f"/people/{ID}/resume", "person_resume", people.ask_to_resume, "people.resume", PAGE),
    Route(POST, f"/people/{ID}/logins/end", "person_logins_end", people.end_logins, "people.end_logins", PAGE),
    Route(POST, f"/people/{ID}/name", "person_name", people.name, "people.name", PAGE),
    Route(POST, f"/people/{ID}/identity", "person_identity", people.ask_to_bind, "people.bind_identity", PAGE),
    Route(GET, "/stand-in", "stand_in", people.stand_in_page, "people.stand_in", PAGE),
    Route(POST, "/stand-in", "stand_in_ask", people.stand_in, "people.stand_in", PAGE),
    Route(GET, "/tokens", "tokens", tokens.show, "tokens.list", PAGE),
    Route(POST, "/tokens", "tokens_make", tokens.make, "tokens.make", PAGE),
    Route(POST, f"/tokens/{ID}/end", "token_end", tokens.end, "tokens.revoke", PAGE),
    Route(GET, "/webhooks", "webhooks", webhooks.show, "webhooks.read", PAGE),
    Route(POST, "/webhooks", "webhooks_make", webhooks.make, "webhooks.make", PAGE),
    Route(POST, f"/webhooks/{ID}/end", "webhook_end", webhooks.end, "webhooks.end", PAGE),
    Route(POST, f"/webhooks/deliveries/{ID}/again", "webhook_again", webhooks.again, "webhooks.send", PAGE),
    Route(GET, "/projects", "projects", projects.listed, "projects.read", PAGE),
    Route(GET, "/projects/new", "project_new", projects.new, "projects.register", PAGE),
    Route(POST, "/projects/new", "project_registered", projects.register, "projects.register", PAGE, most_bytes=draw_request.MOST_BODY),
    Route(GET, f"/projects/{ID}", "project", projects.show, "projects.read", PAGE),
    Route(GET, f"/projects/{ID}/change", "project_change", projects.changing, "projects.register", PAGE),
    Route(POST, f"/projects/{ID}/change", "project_changed", projects.change, "projects.register", PAGE, most_bytes=draw_request.MOST_BODY),
    Route(POST, f"/projects/{ID}/contact", "project_contact", projects.contact, "projects.contact", PAGE),
    Route(POST, f"/projects/{ID}/begin", "project_begin", projects.begin, "draw.request", PAGE),
    Route(GET, "/draws", "draws", draws.listed, "draw.list", PAGE),
    Route(GET, "/draws/new", "draw_request", draw_request.begin, "draw.request", PAGE),
    Route(POST, "/draws/new", "draw_request_step", draw_request.step, "draw.request", PAGE, most_bytes=draw_request.MOST_BODY),
    Route(
        POST,
        "/draws/new/file",
        "draw_request_file",
        draw_request.bring,
        "draw.request",
        PAGE,
        most_bytes=draw_request.MOST_BODY,
        upload=True,
    ),
    Route(GET, f"/draws/{ID}", "draw", draws.show, "draw.read", PAGE),
    Route(GET, f"/draws/{ID}/screen", "draw_screen", draws.screen, "draw.read", PAGE),
    Route(GET, f"/draws/{ID}/updates", "draw_updates", draws.updates, "draw.read", PAGE, stream=True),
    Route(GET, f"/draws/{ID}/proof.json", "draw_proof", draws.proof, "draw.read", PAGE),
    Route(POST, f"/draws/{ID}/go-on", "draw_go_on", draws.proceed, "draw.proceed", PAGE),
    Route(POST, f"/draws/{ID}/start", "draw_start", draws.ask_for, "draw.start", PAGE),
    Route(POST, f"/draws/{ID}/widen", "draw_widen", draws.ask_for, "draw.widen", PAGE),
    Route(POST, f"/draws/{ID}/release", "draw_release", draws.ask_for, "draw.release", PAGE),
    Route(POST, f"/draws/{ID}/cancel", "draw_cancel", draws.cancel, "draw.cancel", PAGE),
    Route(GET, "/approvals", "approvals", approvals.inbox, "approvals.inbox", PAGE),
    Route(POST, "/approvals/epoch", "new_epoch", approvals.new_epoch, "log.new_epoch", PAGE),
    Route(POST, f"/approvals/{ID}/options", "approval_options", approvals.options, "approvals.vote", PAGE),
    Route(POST, f"/approvals/{ID}/approve", "approval_approve", approvals.approve, "approvals.vote", PAGE),
    Route(POST, f"/approvals/{ID}/refuse", "approval_refuse", approvals.refuse, "approvals.vote", PAGE),
    Route(POST, f"/approvals/{ID}/withdraw", "approval_withdraw", approvals.withdraw, "approvals.withdraw", PAGE),
    Route(POST, f"/approvals/{ID}/collect", "approval_collect", approvals.collect, "people.stand_in", PAGE),
    Route(GET, f"/draws/{ID}/names", "unsealing", unsealing.show, "draw.unsealing", PAGE),
    Route(POST, f"/draws/{ID}/names", "draw_names", unsealing.names, "draw.names", PAGE),
    Route(POST, f"/draws/{ID}/papers", "draw_papers", unsealing.paper, "draw.papers", PAGE),
    Route(GET, f"/draws/{ID}/record.pdf", "draw_record", unsealing.record, "draw.read", PAGE),
    Route(GET, f"/draws/{ID}/evidence.zip", "draw_evidence", unsealing.archive, "draw.read", PAGE),
    Route(GET, f"/proofs/{ID}/proof.json", "public_proof", unsealing.proof, "public.read", PLAIN),
    Route(GET, REPLY, "reply", replies.show, "draw.reply", PAGE),
    Route(POST, REPLY, "reply_sent", replies.send, "draw.reply", PAGE),
    Route(GET, f"/draws/{ID}/notices", "draw_notices", notices.show, "draw.read", PAGE),
    Route(GET, f"/draws/{ID}/notices/updates", "draw_notices_updates", notices.updates, "draw.read", PAGE, stream=True),
    Route(POST, f"/draws/{ID}/notices", "draw_notice_resolve", notices.resolve, "draw.proceed", PAGE),
    Route(POST, f"/draws/{ID}/answers", "draw_answer_by_hand", notices.by_hand, "draw.answer", PAGE),
    Route(GET, "/bidders", "bidders", bidders.listed, "bidders.send", PAGE),
    Route(GET, f"/bidders/{ID}", "bidder_box", bidders.show, "bidders.send", PAGE),
    Route(POST, f"/bidders/{ID}", "bidder_list_sent", bidders.send, "bidders.send", PAGE),
    Route(
        POST, f"/bidders/{ID}/file", "bidder_list_brought", bidders.bring, "bidders.send", PAGE, upload=True, most_bytes=bidders.MOST_BODY
    ),
    Route(GET, f"/draws/{ID}/bidders", "draw_bidders", bidders.centre, "draw.read", PAGE),
    Route(POST, f"/draws/{ID}/bidders", "draw_agency", bidders.give, "draw.request", PAGE),
    Route(GET, f"/draws/{ID}/complaints", "complaints", complaints.show, "complaint.read", PAGE),
    Route(POST, f"/draws/{ID}/complaints", "complaint_filed", complaints.file, "complaint.file", PAGE),
    Route(POST, f"/draws/{ID}/complaints/lift", "complaint_lift", complaints.lift, complaints.LIFT, PAGE),
    Route(GET, "/retention", "retention", retention.show, "retention.read", PAGE),
    Route(POST, f"/draws/{ID}/destruction", "destruction", retention.destroy, "retention.destroy", PAGE),
    Route(GET, f"/draws/{ID}/publication", "publication", publication.show, "draw.read", PAGE),
    Route(POST, f"/draws/{ID}/publication", "publication_recorded", publication.record, "draw.published", PAGE),
    Route(GET, "/supervision", "supervision", supervision.desk, "supervision.desk", PAGE),
    Route(GET, "/supervision/statistics", "statistics", statistics.show, "supervision.figures", PAGE),
    Route(GET, "/supervision/statistics.csv", "statistics_table", statistics.table, "supervision.figures", PAGE),
    Route(GET, "/me", "own", own_record.show, "own.read", PAGE),
    Route(POST, "/me/avoid", "own_avoid", own_record.avoid, "own.change", PAGE),
    Route(POST, "/me/leave", "own_leave", own_record.leave, "own.change", PAGE),
    Route(POST, "/me/remove", "own_remove", own_record.remove, "own.change", PAGE),
    Route(GET, f"/me/draws/{ID}", "own_draw", own_record.draw, "own.read", PAGE),
    Route(GET, "/me/data.json", "own_data", own_record.data, "account.export_own_data", PAGE),
    Route(GET, "/audit", "audit", audit.show, "audit.read", PAGE),
    Route(POST, "/audit/verify", "audit_verify", audit.verify, "audit.read", PAGE),
)


# Pages of a demonstration that was populated; nowhere else.
DEMO: tuple[Route, ...] = (
    Route(GET, "/demo", "demo", demo.logins, PUBLIC, PAGE, demo_only=True),
    Route(POST, "/demo/passkey", "demo_passkey", demo.passkey, PUBLIC, PAGE, demo_only=True),
)
# The same for programs. With a service token where the permission lets machines; with the cookie of a login, Origin and X-CSRF-Token else.
PROGRAMS: tuple[Route, ...] = (
    Route(GET, "/api/account", "api_account", api_people.own, "account.read", API, "One's own account", gives=api_people.AccountJson),
    Route(GET, "/api/account/logins", "api_logins", api_people.logins, "account.logins", API, "One's own logins", gives=api_people.LoginsJson),
    Route(POST, f"/api/account/logins/{ID}/end", "api_login_end", api_people.end_login, "account.revoke_login", API, "End a login", gives=DONE),
    Route(
        GET, "/api/people", "api_people", api_people.listed, "people.list", API, "People", query=people.Filter, gives=api_people.PeopleJson
    ),
    Route(
        POST, "/api/people", "api_invite", api_people.invite, "people.invite", API, "Invite somebody", api_people.InviteJson,
        gives=api_people.InvitedJson, fails=("not_found",),
    ),
    Route(GET, f"/api/people/{ID}", "api_person", api_people.one, "people.read", API, "One person", gives=api_people.OneJson, fails=KEEPER),
    Route(
        POST, f"/api/people/{ID}/roles", "api_role", api_people.ask_for_role, "people.grant_role", API, "Propose a role",
        api_people.RoleJson, gives=api_people.AskedJson,
    ),
    Route(
        POST, f"/api/people/{ID}/roles/end", "api_role_end", api_people.ask_to_revoke, "people.revoke_role", API, "Propose a role's end",
        api_people.RoleJson, gives=api_people.AskedJson,
    ),
    Route(POST, f"/api/people/{ID}/suspend", "api_suspend", api_people.suspend, "people.suspend", API, "Suspend", gives=DONE, fails=KEEPER),
    Route(POST, f"/api/people/{ID}/close", "api_close", api_people.close, "people.close", API, "Close for ever", gives=DONE, fails=KEEPER),
    Route(
        POST, f"/api/people/{ID}/resume", "api_resume", api_people.ask_to_resume, "people.resume", API, "Propose to bring back",
        api_people.WhyJson, gives=api_people.AskedJson,
    ),
    Route(
        POST, f"/api/people/{ID}/logins/end", "api_logins_end", api_people.end_logins, "people.end_logins", API, "End all logins",
        gives=DONE, fails=KEEPER,
    ),
    Route(GET, "/api/tokens", "api_tokens", api_people.service_tokens, "tokens.list", API, "Service tokens", gives=api_people.TokensJson),
    Route(POST, f"/api/tokens/{ID}/end", "api_token_end", api_people.end_token, "tokens.revoke", API, "End a service token", gives=DONE),
    Route(GET, "/api/draws", "api_draws", api_draws.listed, "draw.list", API, "Draws", gives=api_draws.DrawsJson),
    Route(
        POST, "/api/draws", "api_draw_request", api_draws.request, "draw.request", API, "Ask for a draw", api_draws.RequestJson,
        gives=api_draws.MadeJson, fails=KEEPER,
    ),
    Route(GET, f"/api/draws/{ID}", "api_draw", api_draws.one, "draw.read", API, "Where a draw stands", gives=api_draws.DrawJson, fails=KEEPER),
    Route(
        GET, f"/api/draws/{ID}/proof", "api_draw_proof", api_draws.proof, "draw.read", API, "Its proof so far", gives=api_draws.ProofJson,
        fails=KEEPER,
    ),
    Route(
        GET, f"/api/draws/{ID}/bidders", "api_bidder_box", api_bidders.box, "bidders.send", API, "Where bidder lists of a draw are sealed to",
        gives=api_bidders.BoxJson, fails=KEEPER,
    ),
    Route(
        POST, f"/api/draws/{ID}/bidders", "api_bidder_list", api_bidders.send, "bidders.send", API, "Send a sealed bidder list",
        api_bidders.SealedJson, gives=api_bidders.ReceivedJson, fails=KEEPER,
    ),
    Route(
        POST, f"/api/draws/{ID}/publication", "api_published", publication.told, "draw.published", API, "The result notice is out",
        publication.PublishedJson, gives=publication.PublicationJson,
    ),
    Route(
        POST, "/api/exchange/projects", "api_exchange_take", api_exchange.take, "exchange.send", API, "Data sets of a project",
        api_exchange.SetsJson, gives=api_exchange.TakenJson, fails=KEEPER, most_bytes=api_exchange.MOST_BODY,
    ),
    Route(
        GET, "/api/exchange/projects", "api_exchange_projects", api_exchange.listed, "projects.read", API, "Projects that are kept",
        query=api_exchange.WhichProjects, gives=api_exchange.ProjectsJson,
    ),
    Route(
        GET, f"/api/exchange/projects/{ID}", "api_exchange_project", api_exchange.one, "projects.read", API, "Data sets of a project",
        query=api_exchange.WhichForm, gives=api_exchange.ProjectJson,
    ),
    Route(
        GET, f"/api/draws/{ID}/exchange", "api_exchange_give", api_exchange.give, "draw.read", API, "Data sets of a draw, without names",
        query=api_exchange.WhichForm, gives=api_exchange.GivenJson, fails=KEEPER,
    ),
    Route(GET, "/api/approvals", "api_approvals", api_approvals.inbox, "approvals.inbox", API, "Approvals", gives=api_approvals.InboxJson),
    Route(GET, f"/api/approvals/{ID}", "api_approval", api_approvals.one, "approvals.read", API, "One", gives=api_approvals.ApprovalJson),
    Route(
        POST, f"/api/approvals/{ID}/options", "api_vote_options", api_approvals.options, "approvals.vote", API, "Options of a vote",
        gives=api_approvals.OptionsJson, fails=KEEPER,
    ),
    Route(
        POST, f"/api/approvals/{ID}/approve", "api_approve", api_approvals.approve, "approvals.vote", API, "Vote for it",
        api_approvals.AssertionJson, gives=api_approvals.OutcomeJson, fails=KEEPER,
    ),
    Route(
        POST, f"/api/approvals/{ID}/refuse", "api_refuse", api_approvals.refuse, "approvals.vote", API, "Vote against it",
        api_people.WhyJson, gives=DONE,
    ),
    Route(POST, f"/api/approvals/{ID}/withdraw", "api_withdraw", api_approvals.withdraw, "approvals.withdraw", API, "Take back", gives=DONE),
    Route(
        POST, "/api/gateway/receipts", "gateway_receipt", gateway.receipt, "draw.reply", API, "What became of a message, signed by a gateway",
        gateway.ReceiptIn, gives=gateway.Heard, fails=("bad_signature", "not_found"), signed=True,
    ),
    Route(
        POST, "/api/gateway/answers", "gateway_answer", gateway.answer, "draw.reply", API, "What somebody answered, signed by a gateway",
        gateway.AnswerIn, gives=gateway.Heard, fails=("bad_signature", "not_found", *KEEPER), signed=True,
    ),
    Route(
        GET, "/api/audit", "api_audit", api_approvals.log, "audit.read", API, "Audit log", query=api_approvals.AuditQuery,
        gives=api_approvals.AuditJson,
    ),
    Route(
        GET, "/api/supervision", "api_supervision", api_supervision.waiting, "draw.list", API, "What waits for supervisors",
        gives=api_supervision.WaitingJson, fails=KEEPER,
    ),
    Route(
        GET, "/api/supervision/desk", "api_supervision_desk", supervision.desk_json, "supervision.desk", API, "The supervisor's desk",
        gives=supervision.DeskJson, fails=KEEPER,
    ),
    Route(
        GET, "/api/supervision/figures", "api_supervision_figures", statistics.figures_json, "supervision.figures", API,
        "Figures for supervisors", gives=statistics.FiguresJson, fails=KEEPER,
    ),
    Route(
        GET, f"/api/draws/{ID}/supervision", "api_draw_case", api_supervision.case, "draw.read", API, "A draw, to be checked",
        gives=api_supervision.CaseJson, fails=KEEPER,
    ),
    Route(
        GET, f"/api/draws/{ID}/files/openings", "api_draw_openings", api_supervision.openings, "draw.sign", API,
        "The openings of a draw, sealed", fails=KEEPER, binary=True,
    ),
    Route(
        GET, f"/api/draws/{ID}/files/roll", "api_draw_roll", api_supervision.roll, "draw.sign", API,
        "The roll of a draw, sealed", fails=KEEPER, binary=True,
    ),
    Route(
        POST, f"/api/draws/{ID}/events", "api_draw_event", api_supervision.file_event, "draw.sign", API, "File a signed event",
        api_supervision.SignedEventJson, gives=api_supervision.StandJson, fails=KEEPER, most_bytes=api_supervision.MOST_EVENT,
    ),
    Route(
        POST, f"/api/draws/{ID}/signatures", "api_draw_sign", api_supervision.sign, "draw.sign", API, "Sign a draft",
        api_supervision.SignatureJson, gives=api_supervision.StandJson, fails=KEEPER,
    ),
)  # fmt: skip


def check(table: Sequence[Route], permissions: Permissions) -> None:
    """Raises Refused `route_without_permission` or `route_twice`."""
    names: set[str] = set()
    for route in table:
        if route.permission not in permissions.known():
            raise Refused("route_without_permission", route.name, permission=route.permission or "-")
        if route.name in names:
            raise Refused("route_twice", route.name)
        names.add(route.name)


def install(app: aioweb.Application, table: Sequence[Route]) -> None:
    """Put the table into the application's router."""
    known: dict[aioweb.AbstractRoute, Route] = {}
    for route in table:
        for method in (route.method, "HEAD") if route.method == GET and not route.stream else (route.method,):
            known[app.router.add_route(method, route.path, _entry(route), expect_handler=_later)] = route
    app[ROUTES] = known


def _entry(route: Route) -> Callable[[aioweb.Request], Awaitable[aioweb.StreamResponse]]:
    async def entry(request: aioweb.Request) -> aioweb.StreamResponse:
        if route.kind is API and route.method == POST and not route.signed and route.permission != PUBLIC and request[ASK].site.desk:
            return await once(request[ASK], route.handler)
        return await route.handler(request[ASK])

    return entry


async def _later(_: aioweb.Request) -> None:
    """`Expect: 100-continue` is answered when the body is wanted, not before."""
