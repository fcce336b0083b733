"""Draws, drafts of their events, complaints on them, versions of projects, and keys that people outside handed in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from server.storage.guards import grants
from server.storage.tables import Kind

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "draw",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("centre", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("section", sa.Text(), nullable=False),
        sa.Column("regime", sa.Text(), nullable=False),
        sa.Column("dry_run", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("request_digest", sa.LargeBinary(), nullable=False),
        sa.Column("evaluation_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("result_notice", sa.Text(), nullable=True),
        sa.Column("published_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=True),
        sa.Column("destruction", sa.Text(), nullable=True),
        sa.Column("destroyed_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=True),
        sa.Column("destroyed_leaf", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=True),
        sa.ForeignKeyConstraint(["centre"], ["centre.id"], name=op.f("fk_draw_centre")),
        sa.ForeignKeyConstraint(["created_by"], ["person.id"], name=op.f("fk_draw_created_by")),
        sa.ForeignKeyConstraint(["destruction"], ["approval.id"], name=op.f("fk_draw_destruction")),
        sa.ForeignKeyConstraint(["project"], ["project.id"], name=op.f("fk_draw_project")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draw")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("draw", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_draw_centre"), ["centre"], unique=False)
        batch_op.create_index(batch_op.f("ix_draw_created_by"), ["created_by"], unique=False)
        batch_op.create_index(batch_op.f("ix_draw_destruction"), ["destruction"], unique=False)
        batch_op.create_index(batch_op.f("ix_draw_project"), ["project"], unique=False)

    op.create_table(
        "draft",
        sa.Column("draw", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("sigs", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["draw"], ["draw.id"], name=op.f("fk_draft_draw")),
        sa.PrimaryKeyConstraint("draw", "type", name=op.f("pk_draft")),
        sqlite_strict=True,
    )
    op.create_table(
        "stand",
        sa.Column("draw", sa.Text(), nullable=False),
        sa.Column("waiting", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("draft", sa.Text(), nullable=False),
        sa.Column("fault", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["draw"], ["draw.id"], name=op.f("fk_stand_draw")),
        sa.PrimaryKeyConstraint("draw", name=op.f("pk_stand")),
        sqlite_strict=True,
    )
    op.create_table(
        "notice",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("draw", sa.Text(), nullable=False),
        sa.Column("slot", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("occupant", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("turn", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("changed_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["draw"], ["draw.id"], name=op.f("fk_notice_draw")),
        sa.PrimaryKeyConstraint("token_hash", "kind", "channel", name=op.f("pk_notice")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_notice_draw"), ["draw"], unique=False)
    op.create_table(
        "holder_key",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("dropped_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=True),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_holder_key_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holder_key")),
        sa.UniqueConstraint("name", name=op.f("uq_holder_key_name")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("holder_key", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_holder_key_person"), ["person"], unique=False)
    op.create_table(
        "project_agency",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_project_agency_person")),
        sa.ForeignKeyConstraint(["project"], ["project.id"], name=op.f("fk_project_agency_project")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project_agency")),
        sa.UniqueConstraint("project", "person", name=op.f("uq_project_agency_project_person")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("project_agency", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_project_agency_person"), ["person"], unique=False)
        batch_op.create_index(batch_op.f("ix_project_agency_project"), ["project"], unique=False)
    op.create_table(
        "bidder_list",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("draw", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["draw"], ["draw.id"], name=op.f("fk_bidder_list_draw")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bidder_list")),
        sa.UniqueConstraint("draw", "number", name=op.f("uq_bidder_list_draw_number")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("bidder_list", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_bidder_list_draw"), ["draw"], unique=False)
    op.create_table(
        "webhook",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("centre", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("approval", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("ended_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=True),
        sa.ForeignKeyConstraint(["approval"], ["approval.id"], name=op.f("fk_webhook_approval")),
        sa.ForeignKeyConstraint(["centre"], ["centre.id"], name=op.f("fk_webhook_centre")),
        sa.ForeignKeyConstraint(["created_by"], ["person.id"], name=op.f("fk_webhook_created_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("webhook", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_webhook_approval"), ["approval"], unique=False)
        batch_op.create_index(batch_op.f("ix_webhook_centre"), ["centre"], unique=False)
        batch_op.create_index(batch_op.f("ix_webhook_created_by"), ["created_by"], unique=False)
    op.create_table(
        "delivery",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("webhook", sa.Text(), nullable=False),
        sa.Column("draw", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("turn", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("attempts", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("since", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("changed_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["draw"], ["draw.id"], name=op.f("fk_delivery_draw")),
        sa.ForeignKeyConstraint(["webhook"], ["webhook.id"], name=op.f("fk_delivery_webhook")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_delivery_created_at"), ["created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_delivery_webhook"), ["webhook"], unique=False)

    op.create_table(
        "complaint",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("centre", sa.Text(), nullable=False),
        sa.Column("draw", sa.Text(), nullable=False),
        sa.Column("filed_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("paper_salt", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("leaf_index", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("filed_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("decide_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=True),
        sa.Column("lift", sa.Text(), nullable=True),
        sa.Column("lifted_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=True),
        sa.ForeignKeyConstraint(["centre"], ["centre.id"], name=op.f("fk_complaint_centre")),
        sa.ForeignKeyConstraint(["draw"], ["draw.id"], name=op.f("fk_complaint_draw")),
        sa.ForeignKeyConstraint(["filed_by"], ["person.id"], name=op.f("fk_complaint_filed_by")),
        sa.ForeignKeyConstraint(["lift"], ["approval.id"], name=op.f("fk_complaint_lift")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_complaint")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("complaint", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_complaint_centre"), ["centre"], unique=False)
        batch_op.create_index(batch_op.f("ix_complaint_draw"), ["draw"], unique=False)
        batch_op.create_index(batch_op.f("ix_complaint_filed_by"), ["filed_by"], unique=False)
        batch_op.create_index(batch_op.f("ix_complaint_lift"), ["lift"], unique=False)

    op.create_table(
        "project_version",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("contact", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("received_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["created_by"], ["person.id"], name=op.f("fk_project_version_created_by")),
        sa.ForeignKeyConstraint(["project"], ["project.id"], name=op.f("fk_project_version_project")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project_version")),
        sa.UniqueConstraint("project", "number", name=op.f("uq_project_version_project_number")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("project_version", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_project_version_created_by"), ["created_by"], unique=False)
        batch_op.create_index(batch_op.f("ix_project_version_project"), ["project"], unique=False)

    if op.get_context().dialect.name == "postgresql":
        for table, kind in (
            ("draw", Kind.STATE),
            ("draft", Kind.TRANSIENT),
            ("stand", Kind.TRANSIENT),
            ("notice", Kind.TRANSIENT),
            ("holder_key", Kind.STATE),
            ("project_agency", Kind.STATE),
            ("bidder_list", Kind.STATE),
            ("webhook", Kind.STATE),
            ("delivery", Kind.TRANSIENT),
            ("complaint", Kind.STATE),
            ("project_version", Kind.STATE),
        ):
            for grant in grants(table, kind, "web"):
                op.execute(grant)


def downgrade() -> None:
    with op.batch_alter_table("project_version", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_project_version_project"))
        batch_op.drop_index(batch_op.f("ix_project_version_created_by"))

    op.drop_table("project_version")
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_delivery_webhook"))
        batch_op.drop_index(batch_op.f("ix_delivery_created_at"))

    op.drop_table("delivery")
    with op.batch_alter_table("webhook", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_webhook_created_by"))
        batch_op.drop_index(batch_op.f("ix_webhook_centre"))
        batch_op.drop_index(batch_op.f("ix_webhook_approval"))

    op.drop_table("webhook")
    with op.batch_alter_table("bidder_list", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_bidder_list_draw"))

    op.drop_table("bidder_list")
    with op.batch_alter_table("project_agency", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_project_agency_project"))
        batch_op.drop_index(batch_op.f("ix_project_agency_person"))

    op.drop_table("project_agency")
    with op.batch_alter_table("complaint", schema=None) as batch_op:
        for column in ("lift", "filed_by", "draw", "centre"):
            batch_op.drop_index(batch_op.f(f"ix_complaint_{column}"))

    op.drop_table("complaint")
    with op.batch_alter_table("holder_key", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_holder_key_person"))

    op.drop_table("holder_key")
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_notice_draw"))

    op.drop_table("notice")
    op.drop_table("stand")
    op.drop_table("draft")
    with op.batch_alter_table("draw", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_draw_project"))
        batch_op.drop_index(batch_op.f("ix_draw_destruction"))
        batch_op.drop_index(batch_op.f("ix_draw_created_by"))
        batch_op.drop_index(batch_op.f("ix_draw_centre"))

    op.drop_table("draw")
