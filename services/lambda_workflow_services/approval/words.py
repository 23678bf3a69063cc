"""The page's own words, in the languages that a question may choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lambda_workflow_services.approval import (
    COMMENT_CHARACTERS_MAX,
    NAME_CHARACTERS_MAX,
    Language,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What the page says; the texts of `…_text` are sentences."""

    approve: str
    reject: str
    comment: str
    name: str
    optional: str
    unchecked: str
    until: str
    once: str
    decision: str
    by: str
    at: str
    thanks: str
    thanks_text: str
    decided: str
    decided_text: str
    unrecorded_text: str
    expired: str
    expired_text: str
    in_time_text: str
    unsent: str
    unsent_text: str
    foreign: str
    foreign_text: str
    no_choice_text: str
    comment_text: str
    name_text: str


_EN: Final = Words(
    approve="Approve",
    reject="Reject",
    comment="Comment",
    name="Your name",
    optional="optional",
    unchecked="optional, not checked",
    until="Open until",
    once="Whoever has this link can decide, once.",
    decision="Decision",
    by="By",
    at="At",
    thanks="Thank you",
    thanks_text="Your decision has been recorded. You can close this page.",
    decided="Already decided",
    decided_text="This question has been decided, and cannot be decided again.",
    unrecorded_text="Your answer was not recorded: there was a decision before it.",
    expired="This link has expired",
    expired_text="The question can no longer be answered here.",
    in_time_text="There was a decision in time, and it counts.",
    unsent="One more moment",
    unsent_text="Your decision is kept, but could not be passed on yet. Reload this page to "
    "pass it on.",
    foreign="Not from this page",
    foreign_text="This form was not sent from the page of this link, so nothing was recorded. Open "
    "the link again and decide there.",
    no_choice_text="Choose one of the buttons below.",
    comment_text=f"The comment is too long: {COMMENT_CHARACTERS_MAX} characters at most.",
    name_text=f"The name is too long: {NAME_CHARACTERS_MAX} characters at most.",
)

_DE: Final = Words(
    approve="Genehmigen",
    reject="Ablehnen",
    comment="Kommentar",
    name="Ihr Name",
    optional="freiwillig",
    unchecked="freiwillig, wird nicht geprüft",
    until="Offen bis",
    once="Wer diesen Link hat, kann einmal entscheiden.",
    decision="Entscheidung",
    by="Von",
    at="Am",
    thanks="Vielen Dank",
    thanks_text="Ihre Entscheidung ist festgehalten. Sie können diese Seite schließen.",
    decided="Bereits entschieden",
    decided_text="Diese Frage ist entschieden und kann nicht noch einmal entschieden werden.",
    unrecorded_text="Ihre Antwort wurde nicht festgehalten: Es gab schon eine Entscheidung.",
    expired="Dieser Link ist abgelaufen",
    expired_text="Die Frage kann hier nicht mehr beantwortet werden.",
    in_time_text="Es gab rechtzeitig eine Entscheidung, und sie gilt.",
    unsent="Einen Moment noch",
    unsent_text="Ihre Entscheidung ist festgehalten, konnte aber noch nicht weitergegeben werden. "
    "Laden Sie diese Seite neu, um sie weiterzugeben.",
    foreign="Nicht von dieser Seite",
    foreign_text="Dieses Formular kam nicht von der Seite dieses Links, darum wurde nichts "
    "festgehalten. Öffnen Sie den Link noch einmal und entscheiden Sie dort.",
    no_choice_text="Bitte wählen Sie einen der Knöpfe.",
    comment_text=f"Der Kommentar ist zu lang: höchstens {COMMENT_CHARACTERS_MAX} Zeichen.",
    name_text=f"Der Name ist zu lang: höchstens {NAME_CHARACTERS_MAX} Zeichen.",
)

_FR: Final = Words(
    approve="Approuver",
    reject="Refuser",
    comment="Commentaire",
    name="Votre nom",
    optional="facultatif",
    unchecked="facultatif, non vérifié",
    until="Ouvert jusqu’au",
    once="Toute personne ayant ce lien peut décider, une seule fois.",
    decision="Décision",
    by="Par",
    at="Le",
    thanks="Merci",
    thanks_text="Votre décision est enregistrée. Vous pouvez fermer cette page.",
    decided="Déjà décidé",
    decided_text="Une décision a été prise et ne peut plus être changée.",
    unrecorded_text="Votre réponse n’a pas été enregistrée : une décision existait déjà.",
    expired="Ce lien a expiré",
    expired_text="Il n’est plus possible de répondre ici à la question.",
    in_time_text="Une décision a été prise à temps et reste valable.",
    unsent="Encore un instant",
    unsent_text="Votre décision est conservée, mais n’a pas encore pu être transmise. Rechargez "
    "cette page pour la transmettre.",
    foreign="Hors de cette page",
    foreign_text="Ce formulaire ne vient pas de la page de ce lien : rien n’a été enregistré. "
    "Ouvrez le lien à nouveau et décidez sur sa page.",
    no_choice_text="Choisissez l’un des boutons.",
    comment_text=f"Le commentaire est trop long : {COMMENT_CHARACTERS_MAX} caractères au plus.",
    name_text=f"Le nom est trop long : {NAME_CHARACTERS_MAX} caractères au plus.",
)

_ES: Final = Words(
    approve="Aprobar",
    reject="Rechazar",
    comment="Comentario",
    name="Su nombre",
    optional="opcional",
    unchecked="opcional, no se comprueba",
    until="Abierto hasta",
    once="Quien tenga este enlace puede decidir, una sola vez.",
    decision="Decisión",
    by="De",
    at="Fecha",
    thanks="Gracias",
    thanks_text="Su decisión ha quedado registrada. Puede cerrar esta página.",
    decided="Ya está decidido",
    decided_text="Esta pregunta ya se ha decidido y no puede decidirse de nuevo.",
    unrecorded_text="Su respuesta no se ha registrado: ya había una decisión.",
    expired="Este enlace ha caducado",
    expired_text="Ya no se puede responder aquí a la pregunta.",
    in_time_text="Hubo una decisión a tiempo, y es válida.",
    unsent="Un momento más",
    unsent_text="Su decisión está guardada, pero aún no se ha podido transmitir. Vuelva a cargar "
    "esta página para transmitirla.",
    foreign="Fuera de esta página",
    foreign_text="Este formulario no viene de la página de este enlace, así que no se ha "
    "registrado nada. Abra el enlace de nuevo y decida allí.",
    no_choice_text="Elija uno de los botones.",
    comment_text=f"El comentario es demasiado largo: {COMMENT_CHARACTERS_MAX} caracteres como "
    "máximo.",
    name_text=f"El nombre es demasiado largo: {NAME_CHARACTERS_MAX} caracteres como máximo.",
)

WORDS: Final[Mapping[Language, Words]] = {"de": _DE, "en": _EN, "es": _ES, "fr": _FR}

# Where there is no question, there is no language of one.
REFUSALS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("Not understood", "This request cannot be read. Open the link and decide there."),
    404: ("Nothing here", "Check that the link was copied completely, from its first letter on."),
    405: ("Not possible", "This page can be opened and its form sent, nothing else."),
    413: ("Too large", "This form is larger than the page's own can be."),
    415: ("Not a form", "This page takes what its own form sends, nothing else."),
    503: ("Not available", "Nothing was recorded. Try again in a moment."),
}
