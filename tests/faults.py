"""Faults in connector.py, each with the test that must notice it: see tools/run_faults.py.

They are grouped by subject. A fault replaces a text that occurs once in connector.py; if code has
moved on, test_faults.py shows the nearest line.
"""

# flake8: noqa: E501 (a name of a test, or a line of the connector, is not broken)

from dataclasses import dataclass
from difflib import SequenceMatcher


@dataclass(frozen=True)
class Fault:
    """What to put in place of a text that stands once in connector.py, and what must fail then."""

    name: str  # what would be wrong
    find: str
    replace: str
    test: str  # a pytest node id; without brackets, all its parameters

    def find_misfit(self, source: str) -> str:
        """Why it cannot be put into the text of connector.py; `""` if it can."""
        count = source.count(self.find)
        if count > 1:
            return f"{self.name}: its text stands {count} times: {self.find!r}"
        if count == 0:
            missing = [line for line in self.find.splitlines() if line.strip() not in source]
            return f"{self.name}: {find_nearest((missing or [self.find])[0].strip(), source)}"
        return f"{self.name}: it changes nothing" if self.find == self.replace else ""


def find_nearest(missing: str, source: str) -> str:
    """The line that has most in common with a text that is not there."""
    match = SequenceMatcher(b=missing, autojunk=False)

    def common(line: str) -> float:
        match.set_seq1(line)
        blocks = [block.size for block in match.get_matching_blocks() if block.size > 2]
        return sum(blocks) - 0.5 * len(blocks) - 0.01 * len(line)

    lines = [line.strip() for line in source.splitlines()]
    number, nearest = max(enumerate(lines, 1), key=lambda numbered: common(numbered[1]))
    return f"its text is missing, and line {number} is nearest:\n  - {missing}\n  + {nearest}"


CONFIGURATION = "tests/test_configuration.py::test_"
CONTACT = "tests/test_first_contact.py::test_"
CURSOR = "tests/test_cursor.py::test_"
FULL_SYNC = "tests/test_full_sync.py::test_"
INTERRUPTIONS = "tests/test_interruptions.py::test_"
LEAVERS = "tests/test_leavers.py::test_"
INCOMPLETE = f"{LEAVERS}after_an_incomplete_read_nobody_is_marked_and_one_warning_says_why"
MODELLING = "tests/test_modelling.py::test_"
PAGES = "tests/test_pages.py::test_"
PASSES = "tests/test_passes.py::test_"
RECIPES = "tests/test_recipes.py::test_"
REPORTS = "tests/test_reports.py::test_"
REQUESTS = "tests/test_requests.py::test_"
ROWS = "tests/test_rows.py::test_"
SECRETS = "tests/test_secrets.py::test_"
SETUP = "tests/test_setup_form.py::test_"
SYNC = "tests/test_sync.py::test_"

FAULTS = {
    "First contact": [
        Fault(
            "A name is another one in other capitals",
            find=r'return re.sub(r"[-_\s]+", "", name).lower()',
            replace=r'return re.sub(r"[-_\s]+", "", name)',
            test=f"{CONTACT}times_in_camel_case_keep_the_cursor_and_make_the_next_sync_incremental",
        ),
        Fault(
            "A name is another one with `_` in it",
            find=r're.sub(r"[-_\s]+", "", name)',
            replace=r're.sub(r"[-\s]+", "", name)',
            test=f"{CONTACT}the_key_is_found_in_any_spelling",
        ),
        Fault(
            "A name is another one with `-` in it",
            find=r're.sub(r"[-_\s]+", "", name)',
            replace=r're.sub(r"[_\s]+", "", name)',
            test=f"{CONTACT}the_key_is_found_in_any_spelling",
        ),
        Fault(
            "A name is another one with a blank in it",
            find=r're.sub(r"[-_\s]+", "", name)',
            replace='re.sub(r"[-_]+", "", name)',
            test=f"{CONTACT}the_key_is_found_in_any_spelling",
        ),
        Fault(
            "Another spelling takes the place of the exact name",
            find="for column in __COLUMNS if column not in names}",
            replace="for column in __COLUMNS}",
            test=f"{CONTACT}the_exact_name_wins_and_the_other_spelling_is_kept_aside",
        ),
        Fault(
            "Of two other spellings the last is taken",
            find="for name in reversed(names)}",
            replace="for name in names}",
            test=f"{CONTACT}of_two_other_spellings_the_first_is_taken",
        ),
        Fault(
            "Another spelling of a declared column becomes a column",
            find="taken = map(fold_name, (*__COLUMNS, __OTHER_FIELDS))",
            replace="taken = [fold_name(__OTHER_FIELDS)]",
            test=f"{CONTACT}the_exact_name_wins_and_the_other_spelling_is_kept_aside",
        ),
        Fault(
            "A field called `otherFields` becomes a column",
            find="and fold_name(name) not in taken",
            replace="and name not in (*__COLUMNS, __OTHER_FIELDS)",
            test=f"{CONTACT}a_field_named_like_a_column_of_the_connector_or_of_fivetran_is_kept_aside",
        ),
        Fault(
            "A field called `_Fivetran_Synced` becomes a column",
            find=r"(?![\W_]+fivetran)",
            replace=r"(?!\W+fivetran)",
            test=f"{CONTACT}a_field_named_like_a_column_of_the_connector_or_of_fivetran_is_kept_aside",
        ),
        Fault(
            "A list called `Users` is not found",
            find="body = fields.get(name, spelled.get(fold_name(name)))",
            replace="body = fields.get(name)",
            test=f"{CONTACT}the_list_of_users_is_found_in_any_spelling",
        ),
        Fault(
            "A list inside an object is not found",
            find='for name in filter(None, __LIST.split(".")):',
            replace="for name in filter(None, [__LIST]):",
            test=f"{RECIPES}a_recipe_is_all_that_such_an_api_needs[Read the list of users from another place]",
        ),
        Fault(
            "An answer that is the list itself is not found",
            find='for name in filter(None, __LIST.split(".")):',
            replace='for name in __LIST.split("."):',
            test=f"{RECIPES}an_answer_that_is_the_list_itself_is_read_as_the_recipe_says",
        ),
        Fault(
            "Mock mode answers with the list in one place only",
            find='for name in reversed(__LIST.split(".") if __LIST else []):',
            replace='for name in ["users"]:',
            test=f"{RECIPES}a_recipe_is_all_that_such_an_api_needs[Read the list of users from another place]",
        ),
        Fault(
            "An answer without the list does not name its fields",
            find='    message += f": the fields are {name_fields(fields)}{quote_error(response)}"\n',
            replace="    message += quote_error(response)\n",
            test=f"{CONTACT}a_list_elsewhere_is_found_by_the_names_in_the_message",
        ),
        Fault(
            "Users without a key do not name their fields",
            find=' Its users have {name_fields(users[0])}"',
            replace='"',
            test=f"{CONTACT}users_without_the_key_are_reported_with_the_names_of_their_fields",
        ),
        Fault(
            "The setup test does not name the fields of users without a key",
            find=" but {name_fields(users[0])}: adapt",
            replace=": adapt",
            test=f"{CONTACT}users_without_the_key_are_reported_with_the_names_of_their_fields",
        ),
        Fault(
            "Any number of fields is named",
            find="found[:__MAX_NAMED_FIELDS]",
            replace="found",
            test=f"{CONTACT}no_name_that_may_be_a_value_is_reported_and_ten_names_at_most",
        ),
        Fault(
            "A field that is named by a user's address is shown",
            find='re.fullmatch("[A-Za-z_]+", name)',
            replace='re.fullmatch("[A-Za-z_.@]+", name)',
            test=f"{CONTACT}no_name_that_may_be_a_value_is_reported_and_ten_names_at_most",
        ),
        Fault(
            "A field that is named by a user's number is shown",
            find='re.fullmatch("[A-Za-z_]+", name)',
            replace='re.fullmatch("[A-Za-z_0-9]+", name)',
            test=f"{CONTACT}no_name_that_may_be_a_value_is_reported_and_ten_names_at_most",
        ),
        Fault(
            "A 404 does not say that the tenant's API may lack the method",
            find="; or your tenant's API lacks this method: ask Awardco",
            replace="",
            test=f"{CONTACT}a_method_that_the_api_lacks_is_told_from_a_wrong_address",
        ),
        Fault(
            "Small pages are not reported",
            find="        log_small_pages(current, page)\n",
            replace="",
            test=f"{CONTACT}an_api_that_knows_the_page_size_by_another_name_is_reported_once",
        ),
        Fault(
            "Small pages are reported after each page",
            find="    if page == 2 and came < __SMALL_PAGE and",
            replace="    if came < __SMALL_PAGE and",
            test=f"{CONTACT}an_api_that_knows_the_page_size_by_another_name_is_reported_once",
        ),
        Fault(
            "Small pages are reported in each pass",
            find="came < __SMALL_PAGE and asked == __LARGE_PAGE:",
            replace="came < __SMALL_PAGE:",
            test=f"{CONTACT}small_pages_are_reported_once_however_often_they_are_read",
        ),
        Fault(
            "The only page of a small tenant is reported as a small one",
            find="        if answer is None:\n            return\n        log_small_pages(current, page)\n",
            replace="        log_small_pages(current, page)\n        if answer is None:\n            return\n",
            test=f"{CONTACT}a_small_tenant_and_pages_of_a_hundred_are_no_reason_to_report[99-1000]",
        ),
        Fault(
            "Pages of a hundred are reported as small ones",
            find="came < __SMALL_PAGE and asked",
            replace="came <= __SMALL_PAGE and asked",
            test=f"{CONTACT}a_small_tenant_and_pages_of_a_hundred_are_no_reason_to_report[250-100]",
        ),
        Fault(
            "A stack is shown instead of a sentence",
            find="        op.error(message=str(error))  # for the dashboard, without a stack; it may return\n",
            replace="",
            test=f"{CONTACT}fivetran_debug_shows_a_sentence_without_a_traceback_or_a_crash_report",
        ),
        Fault(
            "A sync that failed ends well where op.error() returns",
            find="        raise type(error)(str(error)) from None  # no frames: crash reports print variables\n",
            replace="",
            test=f"{CONTACT}deployed_the_dashboard_gets_the_sentence_and_the_sync_fails",
        ),
        Fault(
            "An error that nobody foresaw leaves no crash report",
            find="        raise SyncError(describe_unforeseen(error)) from None\n",
            replace="        op.error(message=describe_unforeseen(error))\n        raise SyncError(describe_unforeseen(error)) from None\n",
            test=f"{SECRETS}an_error_of_the_connector_itself_names_its_line_and_shows_nobody",
        ),
        Fault(
            "The first page is number 1 at every API",
            find="__PAGE_PARAM: page - 1 + __FIRST_PAGE,",
            replace="__PAGE_PARAM: page,",
            test=f"{RECIPES}a_recipe_is_all_that_such_an_api_needs[Count pages from 0]",
        ),
        Fault(
            "The first page is number 1 in mock mode",
            find="(int(query[__PAGE_PARAM]) - __FIRST_PAGE) * size",
            replace="(int(query[__PAGE_PARAM]) - 1) * size",
            test=f"{RECIPES}a_recipe_is_all_that_such_an_api_needs[Count pages from 0]",
        ),
        Fault(
            "A parameter for every request is not sent",
            find="{**params, **__OTHER_PARAMS}",
            replace="params",
            test=f"{RECIPES}a_recipe_is_all_that_such_an_api_needs[Send a parameter with every request]",
        ),
        Fault(
            "A parameter with brackets in its name makes the pattern of another setting",
            find='"|".join(map(re.escape, [__PAGE_PARAM, __PER_PAGE_PARAM, *__OTHER_PARAMS]))',
            replace='"|".join([__PAGE_PARAM, __PER_PAGE_PARAM, *__OTHER_PARAMS])',
            test=f"{RECIPES}a_parameter_with_brackets_in_its_name_can_be_sent_too",
        ),
        Fault(
            "The key is sent as `apiKey` to every API",
            find='session.headers[header] = value.format(key=settings["api_key"])',
            replace='session.headers["apiKey"] = settings["api_key"]',
            test=f"{RECIPES}a_recipe_is_all_that_such_an_api_needs[Send the key as a Bearer token]",
        ),
        Fault(
            "A Bearer token that the API echoes is shown",
            find=".removeprefix(before).removesuffix(after)",
            replace="",
            test=f"{RECIPES}a_bearer_token_that_the_api_echoes_is_masked",
        ),
    ],
    "Destination": [
        Fault(
            "A balance is undeclared",
            find='    "balance": "DOUBLE",\n',
            replace="",
            test=f"{SYNC}the_declared_columns_have_their_types_even_where_all_are_null",
        ),
    ],
    "State and failure": [
        Fault(
            "A page is checkpointed with the new cursor",
            find="op.checkpoint(state=sync.state)",
            replace='op.checkpoint(state={**sync.state, "last_sync_time": sync.cursor})',
            test=f"{INTERRUPTIONS}each_page_is_checkpointed_with_the_state_that_the_sync_began_with",
        ),
        Fault(
            "A page is not checkpointed",
            find="op.checkpoint(state=sync.state)",
            replace="pass",
            test=f"{INTERRUPTIONS}what_was_read_before_an_outage_is_kept_and_the_next_sync_begins_at_page_1",
        ),
        Fault(
            "A stored value that cannot be read is ignored",
            find='if unreadable or type(state.get("users", 0)) is not int:',
            replace="if False:",
            test=f"{INTERRUPTIONS}a_stored_value_that_cannot_be_read_is_an_error_that_names_it",
        ),
        Fault(
            "A stored number of users may be a boolean",
            find='type(state.get("users", 0)) is not int',
            replace='not isinstance(state.get("users", 0), int)',
            test=f"{INTERRUPTIONS}a_stored_value_that_cannot_be_read_is_an_error_that_names_it[users-True]",
        ),
        Fault(
            "Another name in a state ends the sync",
            find="times = {name: state[name] for name in",
            replace='times = {name: state[name] for name in state if name != "users" or',
            test=f"{INTERRUPTIONS}other_names_in_a_state_are_passed_over",
        ),
        Fault(
            "Other names stay in the state",
            find="state = {name: sync.state[name] for name in names if name in sync.state}",
            replace="state = dict(sync.state)",
            test=f"{INTERRUPTIONS}other_names_in_a_state_are_passed_over",
        ),
        Fault(
            "An error does not reach the dashboard",
            find="op.error(message=str(error))",
            replace="pass",
            test=f"{REQUESTS}what_was_read_before_a_failure_is_kept",
        ),
    ],
    "A sync: the filter and the passes": [
        Fault(
            "The filter moves while pages are read",
            find="            sync.cursor, sync.cursor_at = text, updated_at\n",
            replace="            sync.cursor, sync.cursor_at = text, updated_at\n            sync.updated_since = text\n",
            test=f"{PAGES}the_published_example_shape_loses_nobody",
        ),
        Fault(
            "The filter moves with the cursor",
            find="page, current.per_page, sync.updated_since)\n        Thread",
            replace="page, current.per_page, sync.updated_since and sync.cursor)\n        Thread",
            test=f"{CURSOR}a_failed_sync_does_not_move_what_the_next_one_asks_for",
        ),
        Fault(
            "A sixth pass",
            find="__MAX_PASSES = 5",
            replace="__MAX_PASSES = 6",
            test=f"{PASSES}passes_that_are_never_whole_end_and_hold_the_cursor_back",
        ),
        Fault(
            "A later pass delivers everybody again",
            find="if known is not None and changed_at <= known:",
            replace="if False:",
            test=f"{PASSES}a_second_pass_delivers_only_what_the_first_did_not",
        ),
        Fault(
            "A later pass delivers only who is new",
            find="if known is not None and changed_at <= known:",
            replace="if known is not None:",
            test=f"{PASSES}a_row_that_moves_to_a_page_already_read_is_found",
        ),
        Fault(
            "A user without a time is delivered by each pass",
            find="and changed_at <= known:",
            replace="and updated_at and changed_at <= known:",
            test=f"{PASSES}a_user_who_has_no_time_is_delivered_once_a_sync",
        ),
        Fault(
            "What a sync has delivered is known to the next",
            find="known: dict = field(default_factory=dict)",
            replace="known: dict = field(default_factory=lambda known={}: known)",
            test=f"{PASSES}what_a_sync_has_delivered_is_forgotten_with_it",
        ),
        Fault(
            "The borders between pages stay where they are",
            find="per_page = max(int(smallest * __NEXT_SIZE_SHARE), 1)",
            replace="per_page = smallest",
            test=f"{PASSES}ties_that_sort_differently_on_either_side_of_a_border_lose_nobody",
        ),
        Fault(
            "A page of no users is asked for",
            find="max(int(smallest * __NEXT_SIZE_SHARE), 1)",
            replace="int(smallest * __NEXT_SIZE_SHARE)",
            test=f"{FULL_SYNC}a_full_read_that_is_not_whole_is_tried_again_and_does_not_move_the_date",
        ),
        Fault(
            "After the pass that asks for all, borders are where they were before it",
            find="min(smallest, current.per_page)",
            replace="current.per_page",
            test=f"{PASSES}each_pass_has_borders_of_its_own",
        ),
        Fault(
            "No pass asks for all at once",
            find="if number + 1 == __PASS_ALL_AT_ONCE:",
            replace="if False:",
            test=f"{PASSES}a_user_whom_pages_of_every_size_hide_is_found_by_asking_for_all_at_once",
        ),
        Fault(
            "Any number of users is asked for at once",
            find="min(max(per_page, 2 * len(sync.known)), __LARGEST_PAGE)",
            replace="max(per_page, 2 * len(sync.known))",
            test=f"{PASSES}no_more_than_10000_users_are_asked_for_at_once",
        ),
        Fault(
            "An API that refuses to give all at once ends the sync",
            find="if per_page != __SMALL_PAGE:",
            replace="if per_page == __LARGE_PAGE:",
            test=f"{PASSES}an_api_that_refuses_to_give_all_at_once_is_read_in_small_pages",
        ),
        Fault(
            "The cursor moves although no pass was whole",
            find="if current.is_whole and sync.cursor is not None:",
            replace="if sync.cursor is not None:",
            test=f"{PASSES}passes_that_are_never_whole_end_and_hold_the_cursor_back",
        ),
        Fault(
            "A sync without a whole pass warns of nothing",
            find="    if not current.is_whole:\n        why",
            replace="    if False:\n        why",
            test=f"{PASSES}passes_that_are_never_whole_end_and_hold_the_cursor_back",
        ),
    ],
    "A sync: whole": [
        Fault(
            "Every pass is whole",
            find="current.is_whole = is_whole(sync, current, previous)",
            replace="current.is_whole = True",
            test=f"{PASSES}a_row_that_moves_to_a_page_already_read_is_found",
        ),
        Fault(
            "Users who are in the source twice make every pass doubtful",
            find="return current.met == previous.met and len",
            replace="return False and len",
            test=f"{PASSES}rehired_users_who_stand_twice_do_not_hold_the_cursor_back",
        ),
        Fault(
            "Any second pass with other borders is whole",
            find="return current.met == previous.met and len",
            replace="return len",
            test=f"{PASSES}passes_that_hide_the_same_user_and_repeat_different_ones_prove_nothing",
        ),
        Fault(
            "How often each user came does not matter",
            find="current.met == previous.met",
            replace="current.met.keys() == previous.met.keys()",
            test=f"{PASSES}passes_that_hide_the_same_user_and_repeat_different_ones_prove_nothing",
        ),
        Fault(
            "Two passes that are alike prove something although no border moved",
            find="previous is None or current.per_page == previous.per_page or",
            replace="previous is None or",
            test=f"{PASSES}a_cache_that_answers_an_api_of_one_size_proves_nothing",
        ),
        Fault(
            "A record that comes twice unchanged is ignored",
            find=" or current.has_repeats:",
            replace=":",
            test=f"{PASSES}a_record_that_comes_twice_unchanged_shows_that_another_never_came",
        ),
        Fault(
            "A link that is signed anew makes another record",
            find="values = tuple(map(user.get, __COLUMNS))",
            replace="values = json.dumps(user)",
            test=f"{PASSES}a_record_that_comes_twice_unchanged_shows_that_another_never_came",
        ),
        Fault(
            "Two passes of a few users prove something",
            find="current.met == previous.met and len(current.met) >= __MIN_USERS_TO_JUDGE",
            replace="current.met == previous.met",
            test=f"{PASSES}a_few_rows_that_come_alike_twice_prove_nothing",
        ),
        Fault(
            "Twice on one page counts as twice",
            find="current.brought += len(answer.people)",
            replace="current.brought += len(answer.keys)",
            test=f"{PASSES}a_user_who_stands_twice_on_one_page_costs_no_second_pass",
        ),
        Fault(
            "A row without a key does not count",
            find="is_everybody = current.brought == len(sync.known) + len(sync.without_key)",
            replace="is_everybody = current.brought == len(sync.known)",
            test=f"{PASSES}rows_without_an_employee_id_do_not_hold_the_cursor_back",
        ),
        Fault(
            "As many rows as known users, some of whom are gone, are everybody",
            find="if is_everybody and (current.brought == len(current.met) or not sync.has_deletions):",
            replace="if is_everybody:",
            test=f"{PASSES}a_deletion_between_two_passes_does_not_make_up_for_a_hidden_user",
        ),
        Fault(
            "Rows without a key are all one",
            find="return fingerprint(user) if is_named else hash(json.dumps(user, sort_keys=True))",
            replace="return 0",
            test=f"{PASSES}rows_without_an_employee_id_do_not_hold_the_cursor_back",
        ),
        Fault(
            "A row without a key is another for each link that is signed anew",
            find="return fingerprint(user) if is_named else hash(",
            replace="return hash(",
            test=f"{PAGES}a_guest_with_a_link_that_is_signed_anew_does_not_make_pages_endless",
        ),
    ],
    "A sync: doubtful": [
        Fault(
            "Doubts about a pass are ignored",
            find="    if current.doubt:\n        return False\n",
            replace="",
            test=f"{PAGES}a_gap_is_not_whole_although_as_many_rows_came_as_users_are_known",
        ),
        Fault(
            "A short page in the middle is no reason for doubt",
            find="if answer.users and len(last.users) < current.per_page:",
            replace="if False:",
            test=f"{PASSES}a_short_page_in_the_middle_may_have_skipped_users",
        ),
        Fault(
            "Pages of known users are read without end",
            find="if current.brought > __MAX_TIMES_EACH * len(current.met):",
            replace="if False:",
            test=f"{PASSES}pages_of_known_users_without_end_are_given_up_and_reported",
        ),
        Fault(
            "A total that falls is ignored",
            find="if 0 < answer.total < sync.total:",
            replace="if False:",
            test=f"{PASSES}a_user_deleted_while_pages_are_read_costs_nobody_else",
        ),
        Fault(
            "A total that says more than came is ignored",
            find="(is_page_ignored or is_refused or has_more)",
            replace="(is_page_ignored or is_refused)",
            test=f"{PASSES}changes_that_end_at_a_full_page_while_the_total_says_more_move_no_cursor",
        ),
        Fault(
            "A total counts everybody, even one that is no larger than its page",
            find="if type(number) is int and number > on_page)",
            replace="if type(number) is int)",
            test=f"{PASSES}a_total_that_is_no_larger_than_its_page_counts_that_page",
        ),
        Fault(
            "A refusal of page 2 after a full first page is the end",
            find="(page == 2 or sync.updated_since is not None)",
            replace="sync.updated_since is not None",
            test=f"{PAGES}a_refusal_after_a_first_page_as_full_as_a_usual_cap_is_no_end",
        ),
        Fault(
            "An API that ignores `page` is read to the end of page 1",
            find="is_page_ignored = page == 2 and bool(answer.users)",
            replace="is_page_ignored = False",
            test=f"{PAGES}an_api_that_ignores_page_and_has_more_users_is_an_error",
        ),
        Fault(
            "Only a page as full as asked for may be a cap",
            find="is_cap = came >= __SMALLEST_CAP and",
            replace="is_cap = False and",
            test=f"{PAGES}an_api_that_ignores_page_and_has_more_users_is_an_error",
        ),
        Fault(
            "A page of ten users that repeats is everybody",
            find="is_cap = came >= __SMALLEST_CAP and",
            replace="is_cap = came > __SMALLEST_CAP and",
            test=f"{PAGES}an_api_that_knows_neither_page_nor_size_is_reported_although_it_gives_only_ten",
        ),
        Fault(
            "That every page is page 1 is not reported",
            find='        why += ", and every page is page 1: check __PAGE_PARAM" * current.is_page_ignored\n',
            replace="",
            test=f"{PAGES}an_api_that_knows_neither_page_nor_size_is_reported_although_it_gives_only_ten",
        ),
        Fault(
            "Every page is reported as page 1 whatever is wrong",
            find='check __PAGE_PARAM" * current.is_page_ignored',
            replace='check __PAGE_PARAM"',
            test=f"{PAGES}a_refusal_after_a_first_page_as_full_as_a_usual_cap_is_no_end",
        ),
        Fault(
            "A page of 80 users that repeats may be a cap",
            find="(came >= asked or is_cap) and",
            replace="",
            test=f"{PAGES}an_api_without_pages_that_gives_everybody_is_read_once",
        ),
        Fault(
            "A window of 250 changes is taken for a cap",
            find="sync.updated_since is None or came % __SMALL_PAGE == 0",
            replace="True",
            test=f"{PAGES}a_page_of_250_changes_is_not_taken_for_a_cap",
        ),
        Fault(
            "An API that ignores `page` ends in success",
            find="if current.is_page_ignored and len(current.met) == current.first_size:",
            replace="if False:",
            test=f"{PAGES}an_api_that_ignores_page_and_has_more_users_is_an_error",
        ),
        Fault(
            "An API that ignores `page` and the size never syncs",
            find="if current.is_page_ignored and len(current.met) == current.first_size:",
            replace="if current.is_page_ignored:",
            test=f"{PAGES}an_api_that_ignores_page_and_size_is_reported_where_its_one_page_may_be_a_cap",
        ),
    ],
    "A sync: complete": [
        Fault(
            "Every full read is complete",
            find="if is_full and not gaps:",
            replace="if is_full:",
            test=f"{FULL_SYNC}a_whole_read_that_is_not_complete_moves_the_dates_and_not_the_number_of_users",
        ),
        Fault(
            "A sync of changes reports how many users there are",
            find="if is_full and not gaps:",
            replace="if not gaps:",
            test=f"{FULL_SYNC}a_complete_read_tells_how_many_users_it_found",
        ),
        Fault(
            "An API that hides a few users is read in full by every sync",
            find="if current.is_whole and is_full and sync.known:",
            replace="if not gaps and is_full and sync.known:",
            test=f"{FULL_SYNC}a_whole_read_that_is_not_complete_moves_the_dates_and_not_the_number_of_users",
        ),
        Fault(
            "A full read that found nobody has read everybody",
            find="if current.is_whole and is_full and sync.known:",
            replace="if current.is_whole and is_full:",
            test=f"{FULL_SYNC}a_full_read_that_found_nobody_has_read_nobody",
        ),
        Fault(
            "A full read that was not whole moves the date",
            find="if current.is_whole and is_full and sync.known:",
            replace="if is_full:",
            test=f"{FULL_SYNC}a_full_read_that_is_not_whole_is_tried_again_and_does_not_move_the_date",
        ),
        Fault(
            "A sync of changes moves the date",
            find="if current.is_whole and is_full and sync.known:",
            replace="if current.is_whole:",
            test=f"{FULL_SYNC}the_days_are_counted_from_the_start_of_a_full_sync_not_from_its_end",
        ),
    ],
    "A sync: everybody again": [
        Fault(
            "A sync that is due asks for changes only",
            find="since = None if is_due else cursor",
            replace="since = cursor",
            test=f"{FULL_SYNC}the_days_are_counted_from_the_start_of_a_full_sync_not_from_its_end",
        ),
        Fault(
            "The days are counted from the end of a full sync",
            find="sync.started_at.isoformat(",
            replace="now().isoformat(",
            test=f"{FULL_SYNC}the_days_are_counted_from_the_start_of_a_full_sync_not_from_its_end",
        ),
        Fault(
            "A full sync is due a moment late",
            find=">= period",
            replace="> period",
            test=f"{FULL_SYNC}the_days_are_counted_from_the_start_of_a_full_sync_not_from_its_end",
        ),
        Fault(
            "A date in the future puts full syncs off until then",
            find="abs(began - (last or __NEVER))",
            replace="(began - (last or __NEVER))",
            test=f"{FULL_SYNC}a_clock_that_was_wrong_puts_no_full_sync_off_for_years",
        ),
        Fault(
            "A state without a date counts as a full sync just now",
            find="abs(began - (last or __NEVER))",
            replace="abs(began - (last or began))",
            test=f"{FULL_SYNC}a_state_without_the_date_and_the_setting_given_is_a_full_sync",
        ),
        Fault(
            "Every sync is full where the setting is blank",
            find="is_due = bool(period and times)",
            replace="is_due = bool(times)",
            test=f"{FULL_SYNC}without_the_setting_nobody_is_read_again",
        ),
        Fault(
            "A full sync forgets the cursor",
            find="is_due, began, cursor, parse_timestamp(cursor))",
            replace="is_due, began, since, parse_timestamp(since))",
            test=f"{FULL_SYNC}a_full_sync_of_nobody_new_keeps_the_cursor",
        ),
        Fault(
            "A filter that was refused does not count as reading everybody",
            find="is_full, gaps = sync.updated_since is None,",
            replace="is_full, gaps = sync.updated_since is None and not sync.filter_refusal,",
            test=f"{FULL_SYNC}a_filter_that_was_refused_counts_as_reading_everybody",
        ),
    ],
    "A sync: the cursor": [
        Fault(
            "The cursor follows a row dated 2099",
            find="if sync.api.answered_at - updated_at >= margin:",
            replace="if True:",
            test=f"{CURSOR}a_row_dated_2099_does_not_freeze_the_cursor",
        ),
        Fault(
            "The cursor stands at the first answer, without a margin",
            find="timedelta(hours=1)  # for changes",
            replace="timedelta(0)  # for changes",
            test=f"{CURSOR}a_change_that_was_committed_late_is_found_by_the_next_sync",
        ),
        Fault(
            "A time without a zone has an hour",
            find="margin = __CURSOR_MARGIN if read_iso(text).tzinfo else __CURSOR_MARGIN_WITHOUT_ZONE",
            replace="margin = __CURSOR_MARGIN",
            test=f"{CURSOR}local_times_without_a_zone_hide_no_change",
        ),
        Fault(
            "The margin without a zone is an hour short",
            find="timedelta(hours=39)",
            replace="timedelta(hours=38)",
            test=f"{CURSOR}the_cursor_lies_an_hour_before_the_first_answer_or_39_where_the_zone_is_unknown",
        ),
        Fault(
            "The greatest text is the newest",
            find="if sync.cursor_at is None or updated_at > sync.cursor_at:",
            replace="if sync.cursor is None or text > sync.cursor:",
            test=f"{CURSOR}the_newest_is_the_latest_instant_not_the_greatest_text",
        ),
        Fault(
            "The cursor is rewritten in UTC",
            find="sync.cursor, sync.cursor_at = text, updated_at",
            replace="sync.cursor, sync.cursor_at = updated_at.isoformat(), updated_at",
            test=f"{CURSOR}the_cursor_is_the_apis_own_text",
        ),
        Fault(
            "The server's clock alone decides",
            find='min(now(), read_date(response, "Date") or now())',
            replace='read_date(response, "Date") or now()',
            test=f"{CURSOR}the_earlier_clock_decides_where_one_is_wrong",
        ),
        Fault(
            "This machine's clock alone decides",
            find='min(now(), read_date(response, "Date") or now())',
            replace="now()",
            test=f"{CURSOR}the_earlier_clock_decides_where_one_is_wrong",
        ),
        Fault(
            "The last answer dates a sync",
            find="if api.answered_at is None:",
            replace="if True:",
            test=f"{CURSOR}the_first_answer_dates_a_sync_not_the_last_one",
        ),
        Fault(
            "A Date that is none ends the sync",
            find="with suppress(IndexError, OverflowError, TypeError, ValueError):",
            replace="with suppress(IndexError):",
            test=f"{CURSOR}without_a_readable_date_this_machines_clock_decides",
        ),
        Fault(
            "Digits alone are read as a date",
            find=r'if not re.fullmatch(r"\d{4}-\d\d-\d\d([T ].+)?", text, re.ASCII):',
            replace="if False:",
            test=f"{CURSOR}what_is_no_timestamp_is_none",
        ),
        Fault(
            "A time with UTC behind it is unreadable",
            find='.replace("UTC", "Z")',
            replace="",
            test=f"{CURSOR}a_timestamp_is_read_as_the_instant_it_means",
        ),
        Fault(
            "A time that cannot be held in UTC ends the sync",
            find="except (AttributeError, OverflowError, TypeError, ValueError):",
            replace="except (AttributeError, TypeError, ValueError):",
            test=f"{CURSOR}what_is_no_timestamp_is_none",
        ),
    ],
    "Users who left": [
        Fault(
            "Who left is not marked",
            find="    op.truncate(table=__TABLE)\n",
            replace="",
            test=f"{LEAVERS}who_left_is_marked_and_the_others_live",
        ),
        Fault(
            "Everybody is marked once more, after the rows",
            find='    log.info("Users whom',
            replace='    op.truncate(table=__TABLE)\n    log.info("Users whom',
            test=f"{LEAVERS}30_who_left_of_1250_are_marked_and_the_others_live",
        ),
        Fault(
            "The log does not report the marks",
            find='    log.info("Users whom',
            replace='    str("Users whom',
            test=f"{LEAVERS}who_left_is_marked_and_the_others_live",
        ),
        Fault(
            "A checkpoint stands between the marks and the rows",
            find="    op.truncate(table=__TABLE)\n",
            replace="    op.truncate(table=__TABLE)\n    op.checkpoint(state=sync.state)\n",
            test=f"{LEAVERS}a_kill_while_users_are_marked_marks_nobody_who_lives[upsert 23]",
        ),
        Fault(
            "The state is stored before users are marked",
            find="        mark_leavers(sync)\n",
            replace="        op.checkpoint(state=state)\n        mark_leavers(sync)\n",
            test=f"{LEAVERS}a_kill_while_users_are_marked_marks_nobody_who_lives[truncate 1]",
        ),
        Fault(
            "Every sync of everybody marks",
            find="    elif sync.is_due:\n        mark",
            replace="    elif is_full:\n        mark",
            test=f"{LEAVERS}a_re_sync_marks_nobody",
        ),
        Fault(
            "A first sync or re-sync is due",
            find="bool(period and times)",
            replace="bool(period)",
            test=f"{LEAVERS}a_re_sync_marks_nobody",
        ),
        Fault(
            "A sync is due without the setting",
            find="bool(period and times) and",
            replace="bool(times) and",
            test=f"{LEAVERS}a_sync_of_changes_marks_nobody",
        ),
        Fault(
            "A sync of changes marks where the setting is given",
            find="Sync(api, state, since, is_due, began",
            replace="Sync(api, state, since, bool(period), began",
            test=f"{LEAVERS}a_sync_of_changes_marks_nobody[7]",
        ),
        Fault(
            "A sync whose filter was refused marks",
            find="                sync.updated_since, sync.filter_refusal = None, str(error)\n",
            replace="                sync.updated_since, sync.filter_refusal = None, str(error)\n                sync.is_due = True\n",
            test=f"{LEAVERS}a_sync_that_reads_everybody_because_its_filter_was_refused_marks_nobody",
        ),
        Fault(
            "A source without change dates is never due",
            find="bool(period and times)",
            replace="bool(period and cursor)",
            test=f"{LEAVERS}a_source_without_change_dates_is_marked_too",
        ),
        Fault(
            "A sync that reads everybody for lack of a cursor puts off the one that is due",
            find="(not cursor or abs(began - (last or __NEVER)) >= period)",
            replace="abs(began - (last or __NEVER)) >= period",
            test=f"{LEAVERS}a_source_without_change_dates_is_marked_too",
        ),
        Fault(
            "Passes that were not whole mark",
            find="    if not current.is_whole:",
            replace="    if False:",
            test=f"{INCOMPLETE}[leave_and_move]",
        ),
        Fault(
            "A read that a refusal cut off marks",
            find="    if current.cut_off:\n        yield",
            replace="    if False:\n        yield",
            test=f"{INCOMPLETE}[leave_and_refuse]",
        ),
        Fault(
            "A read of fewer users than the API counts marks",
            find="    if rows_met < ",
            replace="    if False and rows_met < ",
            test=f"{INCOMPLETE}[leave_and_hide]",
        ),
        Fault(
            "That the API returned nobody is not reported",
            find='    if not users:\n        yield "The API returned no users',
            replace='    if False:\n        yield "The API returned no users',
            test=f"{INCOMPLETE}[leave_all]",
        ),
        Fault(
            "A read of fewer than half of the users marks",
            find="    elif users < before * __MIN_SHARE_TO_MARK:",
            replace="    elif False:",
            test=f"{INCOMPLETE}[leave_in_crowds]",
        ),
        Fault(
            "Half of the users are not enough",
            find="    elif users < before * __MIN_SHARE_TO_MARK:",
            replace="    elif users <= before * __MIN_SHARE_TO_MARK:",
            test=f"{LEAVERS}half_of_the_users_of_the_last_complete_read_are_enough",
        ),
        Fault(
            "The number to compare with is set once, so who left before counts",
            find='state["users"] = ',
            replace='state["users"] = state.get("users") or ',
            test=f"{LEAVERS}half_of_the_users_of_the_last_complete_read_are_enough",
        ),
        Fault(
            "An incomplete read sets the number to compare with",
            find="    if is_full and not gaps:",
            replace="    if is_full:",
            test=f"{LEAVERS}the_number_to_compare_with_stays_until_a_re_sync_clears_it",
        ),
        Fault(
            "A sync of changes sets the number to compare with",
            find="    if is_full and not gaps:",
            replace="    if not gaps:",
            test=f"{LEAVERS}who_came_back_is_live_again_after_the_next_sync_of_changes",
        ),
        Fault(
            "A state without the number to compare with marks",
            find='if sync.is_due and not gaps and "users" not in sync.state:',
            replace="if False:",
            test=f"{LEAVERS}a_state_of_an_older_version_has_no_number_to_compare_with_and_marks_nobody",
        ),
        Fault(
            "That nobody was marked is not reported",
            find="    if sync.is_due and gaps:",
            replace="    if False:",
            test=INCOMPLETE,
        ),
        Fault(
            "Why nobody was marked is reported twice",
            find='        gaps[0] = f"Nobody',
            replace='        gaps.append(gaps[0])\n        gaps[0] = f"Nobody',
            test=INCOMPLETE,
        ),
        Fault(
            "Only the rows of the last pass are delivered once more",
            find="        current = Pass(per_page, per_page)\n",
            replace="        current = Pass(per_page, per_page)\n        sync.delivered.clear()\n",
            test=f"{LEAVERS}a_user_who_changes_while_pages_are_read_is_marked_in_no_pass_and_is_newest",
        ),
        Fault(
            "The rows of a pass that begins again are not delivered once more",
            find="        except PageError as error:\n            if per_page",
            replace="        except PageError as error:\n            sync.delivered.clear()\n            if per_page",
            test=f"{LEAVERS}a_read_that_begins_again_in_small_pages_marks_as_well",
        ),
        Fault(
            "An older record is delivered after the newest",
            find="    for page in sync.delivered:",
            replace="    for page in reversed(sync.delivered):",
            test=f"{LEAVERS}a_user_who_changes_while_pages_are_read_is_marked_in_no_pass_and_is_newest",
        ),
        Fault(
            "A time is lost when a row is delivered once more",
            find="default=datetime.isoformat)",
            replace="default=lambda time: None)",
            test=f"{LEAVERS}values_and_types_are_the_same_after_the_second_delivery",
        ),
        Fault(
            "A number becomes text when a row is delivered once more",
            find="json.loads(zlib.decompress(page))",
            replace="json.loads(zlib.decompress(page), parse_int=str)",
            test=f"{ROWS}any_json_is_the_same_when_it_is_delivered_once_more",
        ),
        Fault(
            "A number inside JSON becomes text when a row is delivered once more",
            find="json.loads(zlib.decompress(page))",
            replace="json.loads(zlib.decompress(page), parse_float=str)",
            test=f"{LEAVERS}values_and_types_are_the_same_after_the_second_delivery",
        ),
        Fault(
            "The list to deliver once more is empty in mock mode",
            find="    if sync.is_due:\n        sync.delivered",
            replace="    if sync.is_due and sync.api.session.trust_env is False:\n        sync.delivered",
            test=f"{LEAVERS}mock_mode_marks_too",
        ),
        Fault(
            "A read that failed is no longer due",
            find="                op.checkpoint(state=sync.state)\n",
            replace='                op.checkpoint(state={**sync.state, "last_full_sync": now().isoformat()})\n',
            test=f"{LEAVERS}a_read_that_fails_marks_nobody_and_is_due_again",
        ),
        Fault(
            "Who is marked is written again, so that the time when the user was last seen is lost",
            find="    op.truncate(table=__TABLE)\n",
            replace='    op.truncate(table=__TABLE)\n    op.delete(table=__TABLE, keys={__KEY: "E00006"})\n',
            test=f"{MODELLING}a_mark_does_not_change_when_the_user_was_last_seen",
        ),
    ],
    "Pages: one reader": [
        Fault(
            "Two pages are asked for at the same time",
            find='        Thread(target=request_ahead, args=asked, name="awardco-request", daemon=True).start()\n',
            replace='        Thread(target=request_ahead, args=asked, name="awardco-request", daemon=True).start()\n        asked = (Future(), sync.api, page + 1, current.per_page, sync.updated_since)\n        Thread(target=request_ahead, args=asked, name="awardco-request", daemon=True).start()\n',
            test=f"{PAGES}a_page_is_asked_for_only_when_the_one_before_it_has_been_answered",
        ),
        Fault(
            "Answers overtake each other",
            find='        ahead: Future = Future()\n        asked = (ahead, sync.api, page, current.per_page, sync.updated_since)\n        Thread(target=request_ahead, args=asked, name="awardco-request", daemon=True).start()\n        if answer.users:\n            yield answer\n        last, answer = answer, ahead.result()\n',
            replace="""        if page % 3 == 2:
            three = [Future(), Future(), Future()]
            for number, ahead in enumerate(three, page):
                asked = (ahead, sync.api, number, current.per_page, sync.updated_since)
                Thread(target=request_ahead, args=asked, name="awardco-request", daemon=True).start()
        if answer.users:
            yield answer
        last, answer = answer, three[(page - 2) % 3].result()
""",
            test=f"{PASSES}a_hire_between_two_answers_that_overtake_each_other_costs_nobody",
        ),
        Fault(
            "A page is asked for only when the destination has taken the one before it",
            find='        Thread(target=request_ahead, args=asked, name="awardco-request", daemon=True).start()\n        if answer.users:\n            yield answer\n',
            replace='        if answer.users:\n            yield answer\n        Thread(target=request_ahead, args=asked, name="awardco-request", daemon=True).start()\n',
            test=f"{PAGES}while_the_destination_takes_a_page_the_next_one_is_on_its_way",
        ),
        Fault(
            "A sync that has ended waits for the page on its way",
            find="        with api.session:\n            sync_users(",
            replace="""        import threading
        from contextlib import ExitStack

        with ExitStack() as stack, api.session:
            name = "awardco-request"
            stack.callback(lambda: [t.join() for t in threading.enumerate() if t.name == name])
            sync_users(""",
            test=f"{PAGES}a_sync_that_fails_does_not_wait_for_the_page_that_is_on_its_way",
        ),
        Fault(
            "Users are delivered on the thread of the request",
            find="                deliver_page(sync, current, answer)\n",
            replace="                worker = Thread(target=deliver_page, args=(sync, current, answer))\n                worker.start()\n                worker.join()\n",
            test=f"{PAGES}operations_and_checkpoints_stay_on_the_thread_of_the_sync",
        ),
    ],
    "Pages: their size": [
        Fault(
            "Small pages are asked for from the start",
            find="previous, per_page, smallest = None, __LARGE_PAGE, __LARGE_PAGE",
            replace="previous, per_page, smallest = None, __SMALL_PAGE, __SMALL_PAGE",
            test=f"{PAGES}large_pages_are_asked_for_from_the_start",
        ),
        Fault(
            "Page 1 of a large size is tried eight times",
            find="attempts = __ATTEMPTS if asked == __SMALL_PAGE else __LARGE_PAGE_ATTEMPTS",
            replace="attempts = __ATTEMPTS",
            test=f"{PAGES}page_1_of_a_large_size_is_tried_twice_only",
        ),
        Fault(
            "A large page that fails ends the sync",
            find="if per_page != __SMALL_PAGE:",
            replace="if False:",
            test=f"{PAGES}large_pages_that_fail_are_given_up_for_small_ones",
        ),
        Fault(
            "A rate limit sends a sync into small pages",
            find="raise (PageError if retry_after is None else SyncError)(",
            replace="raise PageError(",
            test=f"{PAGES}a_rate_limit_that_lasts_is_an_error_after_all_attempts",
        ),
        Fault(
            "A rate limit gets two attempts in large pages",
            find="attempts if retry_after is None else __ATTEMPTS)",
            replace="attempts)",
            test=f"{PAGES}a_rate_limit_does_not_send_a_sync_into_small_pages",
        ),
        Fault(
            "A capped API is asked for the first size throughout",
            find="current.per_page = came",
            replace="current.per_page = asked",
            test=f"{PAGES}a_server_that_caps_pages_is_read_to_its_end[33-True-230]",
        ),
        Fault(
            "A window of one user is read in pages of one",
            find="if came >= __SMALLEST_CAP and not",
            replace="if came and not",
            test=f"{PAGES}a_window_that_grows_while_it_is_read_is_not_read_in_pages_of_one",
        ),
        Fault(
            "A page that lacks a few users is taken for a cap",
            find=" and not is_thinned:",
            replace=":",
            test=f"{PAGES}a_page_that_lacks_a_few_users_is_not_taken_for_a_cap",
        ),
        Fault(
            "A cap of 730 users is taken for a page that lacks a few",
            find=" and came % __SMALLEST_CAP != 0",
            replace="",
            test=f"{PAGES}the_number_that_page_1_brings_is_asked_for_from_then_on[730]",
        ),
        Fault(
            "A cap of 33 users is taken for a page that lacks a few",
            find="asked // 2 < came < asked",
            replace="came < asked",
            test=f"{PAGES}a_server_that_caps_pages_is_read_to_its_end[33-True-230]",
        ),
        Fault(
            "An API that refuses odd sizes is not asked in the first one",
            find="if page == 2 and answer.refusal and current.per_page != current.first_size:",
            replace="if False:",
            test=f"{PAGES}a_server_that_takes_only_certain_sizes_and_caps_them_at_another_is_read",
        ),
        Fault(
            "A size that page 2 refused once is given up",
            find="        if answer.users:\n            current.per_page = current.first_size\n            return answer\n",
            replace="        current.per_page = current.first_size\n        if answer.users:\n            return answer\n",
            test=f"{PAGES}a_page_2_refused_for_a_moment_does_not_skip_users_of_a_capped_page",
        ),
        Fault(
            "A last large page that is refused is not asked for in small ones",
            find="if asked == __LARGE_PAGE:",
            replace="if False:",
            test=f"{PAGES}a_last_large_page_that_is_refused_is_read_in_small_ones",
        ),
    ],
    "Pages: the end": [
        Fault(
            "A short page ends the pass",
            find="        if answer.users and len(last.users) < current.per_page:\n",
            replace="        if len(last.users) < current.per_page:\n            return\n        if False:\n",
            test=f"{PAGES}a_short_page_with_more_after_it_is_not_the_end",
        ),
        Fault(
            "A page of known users ends the pass",
            find="        if answer is None:\n            return\n",
            replace="        if answer is None or answer.people <= current.met.keys():\n            return\n",
            test=f"{PASSES}users_who_come_after_pages_of_known_ones_are_found",
        ),
        Fault(
            "The next page is not looked at",
            find="following = ask(page + 1, current.per_page)",
            replace="following = Answer([])",
            test=f"{PAGES}one_page_refused_while_its_neighbours_answer_is_an_error",
        ),
        Fault(
            "The page itself is not asked again",
            find="again = ask(page, current.per_page)",
            replace="again = Answer([])",
            test=f"{PAGES}a_page_that_has_users_when_it_is_asked_again_costs_no_second_pass",
        ),
        Fault(
            "A page that has users when it is asked again is a gap",
            find="        return again\n",
            replace="        return answer\n",
            test=f"{PAGES}a_page_that_has_users_when_it_is_asked_again_costs_no_second_pass",
        ),
        Fault(
            "A refusal is the end although page 1 is refused too",
            find="if answer.refusal and ask(1, current.first_size).refusal:",
            replace="if False:",
            test=f"{PAGES}a_route_that_is_gone_for_some_seconds_is_not_the_end",
        ),
        Fault(
            "The page itself is asked before page 1 is",
            find="    following = ask(page + 1, current.per_page)\n",
            replace="    following, early = ask(page + 1, current.per_page), ask(page, current.per_page)\n    ask = lambda number, size, ask=ask: early if number == page else ask(number, size)\n",
            test=f"{PAGES}a_route_that_comes_back_while_the_end_is_looked_for_is_not_the_end",
        ),
        Fault(
            "A refusal is always an error",
            find="    return Answer([], refusal=message)\n\n\ndef advise",
            replace="    raise PageError(message)\n\n\ndef advise",
            test=f"{PAGES}a_first_sync_ends_however_the_api_says_so",
        ),
        Fault(
            "A page that was refused by a fault is passed over",
            find="    if answer.refusal:\n        raise PageError(answer.refusal)\n    if not answer.users:\n",
            replace="    if not answer.users:\n",
            test=f"{PAGES}one_page_refused_while_its_neighbours_answer_is_an_error",
        ),
        Fault(
            "A refusal that passes ends the sync",
            find="if again.people not in no_others:",
            replace="if not answer.refusal and again.people not in no_others:",
            test=f"{PAGES}a_user_hired_while_the_end_is_looked_for_does_not_end_the_sync",
        ),
        Fault(
            "A page that repeats is read on",
            find="no_others = {frozenset(), last.people, current.first.people} if answer.users else {frozenset()}",
            replace="no_others = {frozenset()}",
            test=f"{PAGES}a_first_sync_ends_however_the_api_says_so[last page-100]",
        ),
        Fault(
            "Page 1 past the end is another page",
            find="or answer.people in (last.people, current.first.people):",
            replace="or answer.people == last.people:",
            test=f"{PAGES}an_api_that_goes_around_shares_no_identifier",
        ),
        Fault(
            "A page that repeats once is the last page again",
            find="    if again.people not in no_others:",
            replace="    if answer.users:\n        return None\n    if again.people not in no_others:",
            test=f"{PAGES}rows_that_move_down_by_exactly_a_page_are_not_the_end",
        ),
        Fault(
            "An empty page 2 of a small window is asked for again",
            find="        return None  # as most syncs end",
            replace="        pass  # as most syncs end",
            test=f"{PAGES}a_sync_with_nothing_new_costs_two_requests",
        ),
        Fault(
            "An empty page 2 ends any window",
            find="if page == 2 and is_small and not",
            replace="if page == 2 and not",
            test=f"{PAGES}a_page_that_is_empty_for_a_moment_costs_nobody",
        ),
        Fault(
            "An empty page 2 ends a window of exactly the smallest cap",
            find=" and len(last.users) != __SMALLEST_CAP",
            replace="",
            test=f"{PAGES}a_page_that_is_empty_for_a_moment_costs_nobody",
        ),
        Fault(
            "A page 2 that is refused ends a small window",
            find="and not answer.users and not answer.refusal:",
            replace="and not answer.users:",
            test=f"{PAGES}a_refusal_is_looked_into_even_where_page_1_brought_a_few_users",
        ),
        Fault(
            "A refusal after a full page is not reported",
            find="        current.cut_off = answer.refusal\n",
            replace="",
            test=f"{PAGES}users_that_end_with_a_refusal_of_a_full_page_are_reported",
        ),
        Fault(
            "A sync of changes that was cut off moves the cursor",
            find="(page == 2 or sync.updated_since is not None)",
            replace="page == 2",
            test=f"{PAGES}a_sync_of_changes_that_is_cut_off_moves_no_cursor",
        ),
        Fault(
            "A full read that was cut off moves no cursor",
            find="answer.refusal and (page == 2 or sync.updated_since is not None)",
            replace="answer.refusal",
            test=f"{PAGES}a_full_read_that_is_cut_off_moves_the_cursor_and_is_not_complete",
        ),
    ],
    "Pages: an error is never the end": [
        Fault(
            "An error in a 200 is an answer",
            find="if tells_error(fields, users) or (",
            replace="if (",
            test=f"{PAGES}an_error_in_a_200_is_never_the_end",
        ),
        Fault(
            "An error beside a list is no error",
            find="if tells_error(fields, users) or (",
            replace="if (users is None and tells_error(fields, users)) or (",
            test=f"{PAGES}an_error_in_a_200_is_never_the_end[3-error]",
        ),
        Fault(
            "`isSuccess` false is no error",
            find='"success ok issuccess"',
            replace='"success ok"',
            test=f"{REQUESTS}an_error_inside_a_200_is_tried_again_and_then_an_error",
        ),
        Fault(
            "`ok` false is no error",
            find='"success ok issuccess"',
            replace='"success issuccess"',
            test=f"{REQUESTS}an_error_inside_a_200_is_tried_again_and_then_an_error",
        ),
        Fault(
            "`code` 500 is no error",
            find='"status statuscode code"',
            replace='"status statuscode"',
            test=f"{REQUESTS}an_error_inside_a_200_is_tried_again_and_then_an_error",
        ),
        Fault(
            "`statusCode` 503 is no error",
            find='"status statuscode code"',
            replace='"status code"',
            test=f"{REQUESTS}an_error_inside_a_200_is_tried_again_and_then_an_error",
        ),
        Fault(
            "A status in words is no error",
            find='r"error|fail|failed|[4-9]',
            replace='r"[4-9]',
            test=f"{REQUESTS}an_error_inside_a_200_is_tried_again_and_then_an_error",
        ),
        Fault(
            "`timedOut` is no error",
            find='"timedout": "true"',
            replace='"timedout": "never"',
            test=f"{REQUESTS}an_error_inside_a_200_is_tried_again_and_then_an_error",
        ),
        Fault(
            "`errcode` 90002 is no error",
            find='"error errors errorcode errcode errormessage fault"',
            replace='"error errors errorcode errormessage fault"',
            test=f"{REQUESTS}an_error_inside_a_200_is_tried_again_and_then_an_error",
        ),
        Fault(
            "`errors` beside users is no error",
            find='"error errors errorcode errcode errormessage fault"',
            replace='"error errorcode errcode errormessage fault"',
            test=f"{REQUESTS}an_error_inside_a_200_is_tried_again_and_then_an_error",
        ),
        Fault(
            "A word of failure counts in one spelling only",
            find="{fold_name(name): fields[name] for name in fields}",
            replace="dict(fields)",
            test=f"{REQUESTS}an_error_inside_a_200_is_tried_again_and_then_an_error",
        ),
        Fault(
            "An error that comes without `success` or users is nobody",
            find='        failures["message detail"] = __ERROR\n',
            replace="        pass\n",
            test=f"{REQUESTS}an_error_inside_a_200_is_tried_again_and_then_an_error",
        ),
        Fault(
            "A field for errors is one, whatever it holds",
            find=r'r"(?!(0|200|false|none|null|ok|success|\[\])$).+"',
            replace='r".+"',
            test=f"{REQUESTS}a_field_for_errors_that_holds_none_is_no_error",
        ),
        Fault(
            "A request id beside a code is an error",
            find='return [inner[name] for name in ("code", "message") if name in inner] or [*inner',
            replace="return [*inner",
            test=f"{REQUESTS}a_field_for_errors_that_holds_none_is_no_error",
        ),
        Fault(
            "An object without a code or a message is no error",
            find="if name in inner] or [*inner.values()]",
            replace="if name in inner]",
            test=f"{REQUESTS}an_error_inside_a_200_is_tried_again_and_then_an_error",
        ),
        Fault(
            "What the API says of an error in a 200 is not quoted",
            find="it reports an error, see tells_error(){quote_error(response)}",
            replace="it reports an error, see tells_error()",
            test=f"{REQUESTS}what_the_api_says_of_an_error_inside_a_200_is_quoted",
        ),
    ],
    "Pages: the filter refused": [
        Fault(
            "A filter that is refused ends the sync",
            find="                sync.updated_since, sync.filter_refusal = None, str(error)\n",
            replace="                raise\n",
            test=f"{PAGES}a_filter_that_the_api_refuses_means_everybody_is_read_and_reported",
        ),
        Fault(
            "A filter that is refused is not reported",
            find="    if sync.filter_refusal:\n",
            replace="    if False:\n",
            test=f"{PAGES}a_filter_that_the_api_refuses_means_everybody_is_read_and_reported",
        ),
        Fault(
            "An outage of page 1 is a refusal of the filter",
            find="return not ask(sync.updated_since, attempts=1).refusal",
            replace="return False",
            test=f"{PAGES}an_outage_of_page_1_is_no_refusal_of_the_filter",
        ),
        Fault(
            "A filter that was answered once is asked for without end",
            find="or current.met or is_filter_taken:",
            replace="or current.met:",
            test=f"{PAGES}a_filter_that_is_answered_once_and_then_no_more_is_an_error",
        ),
        Fault(
            "A failure of a later page is a refusal of the filter",
            find="or current.met or is_filter_taken:",
            replace="or is_filter_taken:",
            test=f"{INTERRUPTIONS}a_sync_that_fails_leaves_the_state_and_the_filter_as_they_were",
        ),
        Fault(
            "Page 1 without a list of users means that everybody is read",
            find="elif current.first and current.first.is_nobody:",
            replace="elif False:",
            test=f"{PAGES}a_sync_that_finds_nobody_ends_well_however_the_api_says_so[null]",
        ),
        Fault(
            "An API that never answers with users has nobody new",
            find="    if refusal := ask(attempts=__LARGE_PAGE_ATTEMPTS).refusal:\n        raise PageError(refusal)\n",
            replace="",
            test=f"{PAGES}an_api_that_never_answers_with_users_is_an_error_with_a_filter_too",
        ),
    ],
    "Requests and answers: the session": [
        Fault(
            "The session is not closed",
            find="        with api.session:\n            sync_users(",
            replace="        if True:\n            sync_users(",
            test=f"{REQUESTS}connections_are_kept_until_the_sync_ends",
        ),
        Fault(
            "Each request makes a connection of its own",
            find='session.headers["Cache-Control"] = "no-cache"',
            replace='session.headers.update({"Cache-Control": "no-cache", "Connection": "close"})',
            test=f"{REQUESTS}connections_are_kept_until_the_sync_ends",
        ),
        Fault(
            "A server that never answers is waited for",
            find="timeout=__TIMEOUT_SECONDS",
            replace="timeout=None",
            test=f"{REQUESTS}a_passing_fault_is_got_over_and_reported[never answered]",
        ),
        Fault(
            "A redirect is followed",
            find="allow_redirects=False",
            replace="allow_redirects=True",
            test=f"{REQUESTS}a_redirect_is_not_followed_and_its_host_is_named",
        ),
        Fault(
            "A redirect is reported with all its parameters",
            find=').hostname or "no host"',
            replace=').geturl() or "no host"',
            test=f"{REQUESTS}a_redirect_is_not_followed_and_its_host_is_named",
        ),
        Fault(
            "A redirect on a later page advises another address",
            find='"set base_url to the final address" if page == 1 else advise(status, page)',
            replace='"set base_url to the final address"',
            test=f"{REQUESTS}a_redirect_on_a_later_page_does_not_advise_another_address",
        ),
        Fault(
            "The connector does not name itself",
            find='"User-Agent": "fivetran-awardco-users"',
            replace='"X-Agent": "fivetran-awardco-users"',
            test=f"{REQUESTS}each_request_carries_the_headers",
        ),
        Fault(
            "The key goes along as a parameter",
            find="params = {__PAGE_PARAM: page - 1 + __FIRST_PAGE,",
            replace='params = {"apiKey": api.session.headers["apiKey"], __PAGE_PARAM: page - 1 + __FIRST_PAGE,',
            test=f"{SECRETS}a_request_holds_the_key_in_its_header_only",
        ),
        Fault(
            "A cookie is sent back",
            find="    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))\n",
            replace="",
            test=f"{REQUESTS}no_cookie_is_sent_back",
        ),
        Fault(
            "The password of ~/.netrc goes along",
            find="session.auth = lambda request: request",
            replace="session.auth = None",
            test=f"{REQUESTS}no_password_of_the_home_folder_goes_along",
        ),
        Fault(
            "http to this machine goes through a proxy",
            find="session.trust_env = False",
            replace="session.trust_env = True",
            test=f"{REQUESTS}http_to_this_machine_goes_past_every_proxy",
        ),
        Fault(
            "The proxy of the environment is not used",
            find='if settings["base_url"].lower().startswith("http:"):',
            replace="if True:",
            test=f"{REQUESTS}https_goes_through_the_proxy_that_the_environment_names",
        ),
    ],
    "Requests and answers: what is tried again": [
        Fault(
            "A status that only Cloudflare has is no outage",
            find="range(500, 600)",
            replace="range(500, 512)",
            test=f"{REQUESTS}a_status_of_an_outage_is_got_over",
        ),
        Fault(
            "A 429 without a Retry-After fails at once",
            find='is_limit = status == 429 or "Retry-After" in',
            replace='is_limit = "Retry-After" in',
            test=f"{PAGES}a_rate_limit_does_not_send_a_sync_into_small_pages",
        ),
        Fault(
            "A status with a Retry-After fails at once",
            find=' or "Retry-After" in response.headers  # many',
            replace="  # many",
            test=f"{REQUESTS}any_status_with_a_retry_after_is_waited_for",
        ),
        Fault(
            "A redirect with a Retry-After fails at once",
            find="    if is_limit or status in __RETRIED_STATUSES:",
            replace="    if (is_limit and status >= 400) or status in __RETRIED_STATUSES:",
            test=f"{REQUESTS}a_redirect_with_a_retry_after_is_waited_for",
        ),
        Fault(
            "A body that cannot be decoded is taken for a wrong address",
            find="    except requests.exceptions.ContentDecodingError:\n",
            replace="    except KeyError:\n",
            test=f"{REQUESTS}a_passing_fault_is_got_over_and_reported[gzip that is none]",
        ),
        Fault(
            "A body that is cut short is taken for a wrong address",
            find="(requests.ConnectionError, requests.exceptions.ChunkedEncodingError)",
            replace="requests.ConnectionError",
            test=f"{REQUESTS}a_passing_fault_is_got_over_and_reported[body cut short]",
        ),
        Fault(
            "A body that is nested too deep ends the sync",
            find="with suppress(ValueError, RecursionError):",
            replace="with suppress(ValueError):",
            test=f"{REQUESTS}a_passing_fault_is_got_over_and_reported[nested too deep]",
        ),
        Fault(
            "A web page is called no JSON and no more",
            find='[:1] == b"<"',
            replace='[:1] == b"?"',
            test=f"{REQUESTS}a_passing_fault_is_got_over_and_reported[HTML]",
        ),
        Fault(
            "A 202 without users is nobody",
            find=" or (status == 202 and users is None):",
            replace=":",
            test=f"{REQUESTS}a_202_without_users_is_asked_again",
        ),
        Fault(
            "Only a 200 is an answer",
            find="is_good = response.status_code < 300",
            replace="is_good = response.status_code == 200",
            test=f"{REQUESTS}every_2xx_with_users_is_an_answer",
        ),
        Fault(
            "A wait has no jitter",
            find=" * random.uniform(0.75, 1.25)",
            replace="",
            test=f"{REQUESTS}waits_have_jitter_so_that_clients_do_not_return_together",
        ),
        Fault(
            "A wait has no limit",
            find="max(min(backoff, __MAX_BACKOFF_SECONDS), retry_after or 0)",
            replace="max(backoff, retry_after or 0)",
            test=f"{REQUESTS}waits_double_up_to_a_minute",
        ),
        Fault(
            "A Retry-After is not obeyed",
            find="max(min(backoff, __MAX_BACKOFF_SECONDS), retry_after or 0)",
            replace="min(backoff, __MAX_BACKOFF_SECONDS)",
            test=f"{REQUESTS}the_api_says_how_long_to_wait",
        ),
        Fault(
            "A Retry-After of hours is slept through",
            find=" or (retry_after or 0) > api.max_retry_after_seconds:",
            replace=":",
            test=f"{REQUESTS}hours_of_waiting_are_not_slept_but_reported",
        ),
        Fault(
            "A Retry-After of an hour is too long",
            find="__MAX_RETRY_AFTER_SECONDS = 3_600  #",
            replace="__MAX_RETRY_AFTER_SECONDS = 600  #",
            test=f"{REQUESTS}a_wait_of_an_hour_is_slept",
        ),
        Fault(
            "A Retry-After with a point is nonsense",
            find=r're.fullmatch(r"\d+(\.\d*)?", value, re.ASCII)',
            replace=r're.fullmatch(r"\d+", value, re.ASCII)',
            test=f"{REQUESTS}the_api_says_how_long_to_wait",
        ),
        Fault(
            "A date in Retry-After is read by this machine's clock",
            find='server_date = read_date(response, "Date") or now()',
            replace="server_date = now()",
            test=f"{REQUESTS}a_date_to_wait_for_is_read_by_the_clock_of_the_server",
        ),
        Fault(
            "A date that cannot be read ends the sync",
            find="suppress(IndexError, OverflowError, TypeError, ValueError)",
            replace="suppress(KeyError)",
            test=f"{REQUESTS}nonsense_for_a_wait_means_the_ordinary_one",
        ),
    ],
    "Requests and answers: what fails at once": [
        Fault(
            "A key that is refused is tried again",
            find="    if status not in __REFUSING_STATUSES:\n        raise SyncError(message)",
            replace="    if status not in __REFUSING_STATUSES:\n        raise AttemptFailed(message, None)",
            test=f"{REQUESTS}a_refusal_fails_at_once_and_says_what_to_check",
        ),
        Fault(
            "Small pages are tried where the key is refused",
            find="    if status not in __REFUSING_STATUSES:\n        raise SyncError(message)",
            replace="    if status not in __REFUSING_STATUSES:\n        raise PageError(message)",
            test=f"{REQUESTS}a_refusal_fails_at_once_and_says_what_to_check",
        ),
        Fault(
            "A refusal on a later page blames the settings",
            find="if page == 1 or status in (401, 403, 407):",
            replace="if True:",
            test=f"{REQUESTS}a_refusal_later_in_a_sync_does_not_send_people_to_settings_that_work",
        ),
        Fault(
            "A key that is refused on a later page is not named",
            find="if page == 1 or status in (401, 403, 407):",
            replace="if page == 1:",
            test=f"{REQUESTS}a_key_that_is_refused_on_a_later_page_is_named",
        ),
        Fault(
            "A certificate that does not verify is tried again",
            find="if isinstance(error, ssl.SSLCertVerificationError) or getattr(",
            replace="if getattr(",
            test=f"{REQUESTS}a_certificate_that_does_not_verify_fails_at_once_and_is_named",
        ),
        Fault(
            "A bundle of authorities that cannot be read is tried again",
            find=' or getattr(error, "library", "") == "X509":',
            replace=":",
            test=f"{REQUESTS}a_bundle_of_authorities_that_cannot_be_read_fails_at_once_and_is_named",
        ),
        Fault(
            "A proxy that asks for a password is tried again",
            find='if "failed: 407" in str(error):',
            replace="if False:",
            test=f"{REQUESTS}a_proxy_that_asks_for_a_password_fails_at_once_and_is_named",
        ),
        Fault(
            "An address that no request can go to is tried again",
            find='raise SyncError(f"{type(error).__name__}; {__CONNECTION_ADVICE}") from None',
            replace='raise AttemptFailed(f"{type(error).__name__}; {__CONNECTION_ADVICE}", None) from None',
            test=f"{REQUESTS}an_address_that_no_request_can_go_to_is_an_error_that_helps",
        ),
        Fault(
            "A bundle of authorities that is missing is a bug of the connector",
            find="except (OSError, ValueError) as error:",
            replace="except (requests.RequestException, ValueError) as error:",
            test=f"{REQUESTS}a_machine_from_which_no_request_can_go_is_reported_with_what_to_check",
        ),
        Fault(
            "Only the address is named where no request can go",
            find='"check base_url, the proxy settings of this machine and REQUESTS_CA_BUNDLE"',
            replace='"check base_url"',
            test=f"{REQUESTS}a_machine_from_which_no_request_can_go_is_reported_with_what_to_check",
        ),
        Fault(
            "The reason of the attempt before is reported",
            find="while error.__context__ and not isinstance(error.__context__, (SyncError, AttemptFailed)):",
            replace="while error.__context__:",
            test=f"{REQUESTS}the_reason_of_a_failure_is_not_that_of_the_one_before",
        ),
    ],
    "Requests and answers: what is quoted": [
        Fault(
            "A message inside another is not quoted",
            find='return next(filter(None, map(find_message, said)), "")',
            replace='return next((text for text in said if isinstance(text, str) and text.strip()), "")',
            test=f"{REQUESTS}what_the_api_says_of_an_error_is_quoted_on_one_line_of_200_characters",
        ),
        Fault(
            "Anything in an error is quoted",
            find='said = [said.get(name) for name in ("message", "error", "errors", "detail")]',
            replace="said = list(said.values())",
            test=f"{REQUESTS}nothing_else_of_an_error_is_quoted",
        ),
        Fault(
            "What the API said is quoted at length",
            find="[:__MAX_QUOTED_CHARACTERS]",
            replace="",
            test=f"{REQUESTS}what_the_api_says_of_an_error_is_quoted_on_one_line_of_200_characters",
        ),
        Fault(
            "The API's own control characters are quoted",
            find='sign if sign.isprintable() else "\\ufffd"',
            replace="sign",
            test=f"{REQUESTS}what_the_api_said_cannot_steer_a_terminal",
        ),
        Fault(
            "A key that the API echoes is shown",
            find='re.sub(re.escape(written), "****", text, flags=re.IGNORECASE)',
            replace="text",
            test=f"{SECRETS}a_key_that_the_api_echoes_is_not_shown",
        ),
        Fault(
            "A key that is echoed as in an address is shown",
            find='for written in filter(None, (key, quote(key), quote(key, safe=""))):',
            replace="for written in filter(None, [key]):",
            test=f"{SECRETS}a_key_that_the_api_echoes_is_not_shown",
        ),
        Fault(
            "A key is masked only with the words before it",
            find=".removeprefix(before)",
            replace="",
            test=f"{SECRETS}a_key_is_masked_where_the_api_echoes_it_without_what_stands_around_it[after words]",
        ),
        Fault(
            "A key is masked only with the words after it",
            find=".removesuffix(after)",
            replace="",
            test=f"{SECRETS}a_key_is_masked_where_the_api_echoes_it_without_what_stands_around_it[between words]",
        ),
        Fault(
            "A header that is always the same is masked as a key",
            find=".removeprefix(before)",
            replace='.removeprefix(before if "{key}" in form else "")',
            test=f"{SECRETS}a_header_that_is_always_the_same_masks_nothing",
        ),
        Fault(
            "A key of no characters is masked everywhere",
            find='for written in filter(None, (key, quote(key), quote(key, safe=""))):',
            replace='for written in (key, quote(key), quote(key, safe="")):',
            test=f"{SECRETS}a_header_that_is_always_the_same_masks_nothing",
        ),
        Fault(
            "Only a key in its own capitals is masked",
            find="text, flags=re.IGNORECASE)",
            replace="text)",
            test=f"{SECRETS}a_key_that_the_api_echoes_is_not_shown[in capitals, twice]",
        ),
        Fault(
            "An error of the API is cut before the key in it is masked",
            find='re.sub(re.escape(written), "****", text, flags',
            replace='re.sub(re.escape(written), "****", text[:200], flags',
            test=f"{SECRETS}a_key_that_the_api_echoes_is_not_shown[where the text is cut]",
        ),
        Fault(
            "The key is shown where the variables of the connector are printed",
            find="    session: requests.Session\n    url: str\n",
            replace="    session: requests.Session\n    url: str\n    __repr__ = lambda self: str(self.session.headers)\n",
            test=f"{SECRETS}what_holds_the_key_does_not_show_it_when_printed",
        ),
        Fault(
            "A failure keeps the frames that hold the key and users",
            find="raise type(error)(str(error)) from None",
            replace="raise",
            test=f"{SECRETS}no_frame_of_an_error_holds_the_key_or_a_user",
        ),
        Fault(
            "An unforeseen error of this file is quoted",
            find='said = "" if places[-1].filename == __file__ else f": {error}"',
            replace='said = f": {error}"',
            test=f"{SECRETS}an_error_of_the_connector_itself_names_its_line_and_shows_nobody",
        ),
    ],
    "Requests and answers: JSON as APIs write it": [
        Fault(
            "A byte that is no UTF-8 makes a body unreadable",
            find="    except ValueError:\n        response.encoding",
            replace="    except KeyError:\n        response.encoding",
            test=f"{REQUESTS}a_body_is_read_as_apis_write_it",
        ),
        Fault(
            "A byte order mark makes a body unreadable",
            find='decode("utf-8-sig")',
            replace='decode("utf-8")',
            test=f"{REQUESTS}a_body_is_read_as_apis_write_it[a byte order mark]",
        ),
        Fault(
            "The charset that the header names is not used",
            find='response.encoding = response.encoding or "utf-8"',
            replace='response.encoding = "utf-8"',
            test=f"{REQUESTS}a_body_is_read_as_apis_write_it[ISO-8859-1]",
        ),
        Fault(
            "The charset is guessed where no header names it",
            find='response.encoding = response.encoding or "utf-8"',
            replace="pass",
            test=f"{REQUESTS}a_body_is_read_as_apis_write_it[a bad byte, no header]",
        ),
        Fault(
            "Half an emoji fails the sync",
            find=r'if b"\\ud" in response.content.lower():',
            replace="if False:",
            test=f"{ROWS}half_an_emoji_is_replaced_wherever_it_stands",
        ),
        Fault(
            "A control character in a text is no JSON",
            find="strict=False",
            replace="strict=True",
            test=f"{ROWS}control_characters_end_nothing",
        ),
        Fault(
            "An integer beyond 64 bits is a float of 32",
            find="int(text) if len(text) < 20 and abs(int(text)) < 2**63 else text",
            replace="int(text)",
            test=f"{ROWS}undeclared_values_are_exact",
        ),
        Fault(
            "A number that no double can hold is infinite",
            find="float(text) if math.isfinite(float(text)) else text",
            replace="float(text)",
            test=f"{ROWS}numbers_that_no_double_can_hold_are_kept_aside_or_null",
        ),
        Fault(
            "NaN is a number, so that users without an identifier share one",
            find="parse_constant=lambda name: None",
            replace="parse_constant=float",
            test=f"{ROWS}users_without_an_identifier_are_skipped_counted_and_reported_once",
        ),
    ],
    "Rows": [
        Fault(
            "A boolean is an identifier",
            find="if type(value) in (int, float):  # no",
            replace="if isinstance(value, (int, float)):  # no",
            test=f"{ROWS}users_without_an_identifier_are_skipped_counted_and_reported_once",
        ),
        Fault(
            "1001.0 is not 1001",
            find="value = str(value if value % 1 else int(value))",
            replace="value = str(value)",
            test=f"{ROWS}an_identifier_with_a_point_one_day_is_the_same_user",
        ),
        Fault(
            "Blanks around an identifier make another person",
            find="    if isinstance(value, str) and value.strip():\n        return value.strip()",
            replace="    if isinstance(value, str) and value.strip():\n        return value",
            test=f"{ROWS}blanks_around_an_identifier_make_no_second_person",
        ),
        Fault(
            "A first page without identifiers is skipped like any other",
            find="if sync.pages == 0 and not has_key and",
            replace="if False and",
            test=f"{ROWS}a_first_page_without_any_identifier_is_an_error_before_anything_is_stored",
        ),
        Fault(
            "A few users without identifiers end a sync",
            find="not has_key and len(users) >= __MIN_USERS_TO_JUDGE:",
            replace="not has_key:",
            test=f"{ROWS}a_first_page_of_few_users_without_an_identifier_proves_nothing",
        ),
        Fault(
            "A page of guests ends a sync",
            find="if sync.pages == 0 and not has_key and",
            replace="if not has_key and",
            test=f"{ROWS}guests_without_an_identifier_on_a_later_page_are_counted",
        ),
        Fault(
            "A user who is skipped moves the cursor",
            find="        sync.without_key.add(key)\n",
            replace='        sync.without_key.add(key)\n        move_cursor(sync, parse_timestamp(user["updated_at"]), user["updated_at"])\n',
            test=f"{ROWS}a_skipped_user_does_not_move_the_cursor",
        ),
        Fault(
            "What cannot be read is nowhere",
            find="                others[name] = value\n        elif",
            replace="        elif",
            test=f"{ROWS}what_cannot_be_read_is_null_counted_and_kept_as_it_came",
        ),
        Fault(
            "What cannot be read is not counted",
            find='                current.problems[f"unreadable values of {name} (null; see {__OTHER_FIELDS})"] += 1\n',
            replace="",
            test=f"{ROWS}what_cannot_be_read_is_null_counted_and_kept_as_it_came",
        ),
        Fault(
            "An infinite balance is a number",
            find="return number if math.isfinite(number) and not",
            replace="return number if not",
            test=f"{ROWS}what_cannot_be_read_is_null_counted_and_kept_as_it_came[balance]",
        ),
        Fault(
            "A balance in a text is unreadable",
            find="number = float(value)",
            replace="number = float([value] if isinstance(value, str) else value)",
            test=f"{ROWS}a_balance_is_a_number_of_64_bits",
        ),
        Fault(
            "A boolean is a balance",
            find="math.isfinite(number) and not isinstance(value, bool) else None",
            replace="math.isfinite(number) else None",
            test=f"{ROWS}what_cannot_be_read_is_null_counted_and_kept_as_it_came[balance]",
        ),
        Fault(
            "An object in a text column is stored in Python's notation",
            find="return None if isinstance(value, (dict, list)) else json.dumps(value)",
            replace="return str(value)",
            test=f"{ROWS}an_object_where_a_text_belongs_is_null_counted_and_kept",
        ),
        Fault(
            "An object in a declared column ends the sync",
            find="except TypeError:  # an object",
            replace="except KeyError:  # an object",
            test=f"{ROWS}an_object_where_a_text_belongs_is_null_counted_and_kept",
        ),
        Fault(
            "A boolean in a text column is written as Python writes it",
            find="else json.dumps(value)\n",
            replace="else str(value)\n",
            test=f"{ROWS}text_stays_text",
        ),
        Fault(
            "A float is stored with 32 bits",
            find="if isinstance(value, float):\n        return re",
            replace="if False:\n        return re",
            test=f"{ROWS}undeclared_values_are_exact",
        ),
        Fault(
            "A float without a point is text",
            find='return re.sub(r"\\A(-?\\d+)e", r"\\1.0e", repr(value))',
            replace="return repr(value)",
            test=f"{ROWS}undeclared_values_are_exact",
        ),
        Fault(
            "A time without seconds fails the sync",
            find=r'return __ZONED_MINUTE.sub(r"\1:00\2", value)',
            replace="return value",
            test=f"{ROWS}a_time_without_seconds_is_the_time_it_means",
        ),
        Fault(
            "A number in digits of other scripts fails the sync",
            find="elif not is_column_name(name) or is_foreign_number(value):",
            replace="elif not is_column_name(name):",
            test=f"{ROWS}text_that_the_sdk_takes_for_a_number_it_cannot_read_is_kept_aside",
        ),
        Fault(
            "Fields with names in other scripts share one column",
            find="return bool(__COLUMN_NAME.fullmatch(name)) and",
            replace="return bool(name) and",
            test=f"{ROWS}fields_whose_names_can_be_no_column_are_kept_aside",
        ),
        Fault(
            "A field named as Fivetran's own is dropped",
            find=r"(?![\W_]+fivetran)",
            replace="",
            test=f"{ROWS}fields_whose_names_can_be_no_column_are_kept_aside",
        ),
        Fault(
            "A field named as Fivetran's own in capitals is dropped",
            find='[A-Z0-9][ -~]*", re.ASCII | re.IGNORECASE)',
            replace='[A-Za-z0-9][ -~]*", re.ASCII)',
            test=f"{ROWS}fields_whose_names_can_be_no_column_are_kept_aside",
        ),
        Fault(
            "A field named as other_fields takes its place",
            find="taken = map(fold_name, (*__COLUMNS, __OTHER_FIELDS))",
            replace="taken = map(fold_name, __COLUMNS)",
            test=f"{ROWS}fields_whose_names_can_be_no_column_are_kept_aside",
        ),
    ],
    "What a sync reports": [
        Fault(
            "Warnings do not reach the dashboard",
            find='op.warning(f"{warning}.")',
            replace="pass",
            test=f"{REPORTS}users_who_share_an_identifier_are_counted",
        ),
        Fault(
            "Warnings do not reach the log",
            find='log.warning(f"{warning}.")',
            replace="pass",
            test=f"{REPORTS}users_who_share_an_identifier_are_counted",
        ),
        Fault(
            "Progress is reported after each page",
            find="if sync.pages % __PAGES_PER_PROGRESS_LINE == 0:",
            replace="if True:",
            test=f"{SYNC}the_log_tells_what_is_synced_how_far_it_is_and_the_totals",
        ),
        Fault(
            "Progress is reported without the number of all users",
            find=" if sync.total and sync.updated_since is None else",
            replace=" if False else",
            test=f"{SYNC}the_log_tells_how_many_users_there_are_where_the_api_says_so",
        ),
        Fault(
            "Progress of a sync of changes is reported with the number of all users",
            find=" if sync.total and sync.updated_since is None else",
            replace=" if sync.total else",
            test=f"{SYNC}the_log_tells_how_many_users_there_are_where_the_api_says_so",
        ),
        Fault(
            "Only pairs are counted, not people",
            find="{sum(shared)} users share",
            replace="{len(shared)} users share",
            test=f"{REPORTS}a_placeholder_for_a_missing_identifier_is_counted",
        ),
        Fault(
            "A user who moved is taken for two",
            find="if shared and current.is_whole and len(current.met) == len(sync.known) + len(sync.without_key):",
            replace="if shared and current.is_whole:",
            test=f"{REPORTS}users_who_move_in_each_pass_share_no_identifier",
        ),
        Fault(
            "Users who came twice in a pass that was not whole share an identifier",
            find="if shared and current.is_whole and len(current.met) == len(sync.known) + len(sync.without_key):",
            replace="if shared and len(current.met) == len(sync.known) + len(sync.without_key):",
            test=f"{PASSES}a_record_that_comes_twice_unchanged_shows_that_another_never_came",
        ),
        Fault(
            "Columns are judged by a few users",
            find="if empty and len(sync.known) >= __MIN_USERS_TO_JUDGE:",
            replace="if empty:",
            test=f"{REPORTS}columns_are_judged_by_20_users_at_least",
        ),
        Fault(
            "Columns are judged by a sync of everybody only",
            find="if empty and len(sync.known) >= __MIN_USERS_TO_JUDGE:",
            replace="if empty and not since and len(sync.known) >= __MIN_USERS_TO_JUDGE:",
            test=f"{REPORTS}columns_are_judged_by_changes_too",
        ),
        Fault(
            "An empty text is a value",
            find='if row.get(name) not in (None, "")',
            replace="if row.get(name) is not None",
            test=f"{REPORTS}declared_columns_in_which_no_user_has_a_value_are_named",
        ),
        Fault(
            "Zero is no value",
            find='if row.get(name) not in (None, "")',
            replace="if row.get(name)",
            test=f"{REPORTS}one_value_in_a_column_is_enough_and_zero_is_one",
        ),
        Fault(
            "A full read that finds nobody warns of nothing",
            find="    if not users:\n        yield",
            replace="    if False:\n        yield",
            test=f"{REPORTS}a_full_read_that_finds_nobody_is_reported",
        ),
        Fault(
            "A total that is larger than what came warns of nothing",
            find="if rows_met < sync.total:",
            replace="if False:",
            test=f"{REPORTS}fewer_users_than_the_apis_own_total_are_reported",
        ),
        Fault(
            "The total of everybody is compared with a sync of changes",
            find="    if sync.updated_since is not None:\n        return\n",
            replace="",
            test=f"{REPORTS}the_total_of_everybody_is_no_reason_to_warn_an_incremental_sync",
        ),
        Fault(
            "A total one level below is not found",
            find="for level in (fields, *fields.values()) if",
            replace="for level in (fields,) if",
            test=f"{REPORTS}fewer_users_than_the_apis_own_total_are_reported[meta.total_records]",
        ),
        Fault(
            "A total of points is one of users",
            find="(?!page|point|balance|amount)",
            replace="(?!page|balance|amount)",
            test=f"{REPORTS}a_total_of_something_else_is_not_taken_for_a_number_of_users[totalPoints]",
        ),
        Fault(
            "A total of balances is one of users",
            find="(?!page|point|balance|amount)",
            replace="(?!page|point|amount)",
            test=f"{REPORTS}a_total_of_something_else_is_not_taken_for_a_number_of_users[total_balance]",
        ),
        Fault(
            "A total of amounts is one of users",
            find="(?!page|point|balance|amount)",
            replace="(?!page|point|balance)",
            test=f"{REPORTS}a_total_of_something_else_is_not_taken_for_a_number_of_users[totalAmount]",
        ),
        Fault(
            "A total of pages is one of users",
            find="(?!page|point|balance|amount)",
            replace="(?!point|balance|amount)",
            test=f"{REPORTS}a_total_of_something_else_is_not_taken_for_a_number_of_users[totalPageCount]",
        ),
        Fault(
            "A filter is ignored where users are older at all",
            find="if since and since - oldest > __CLEARLY_OLDER:",
            replace="if since and since > oldest:",
            test=f"{REPORTS}users_two_days_older_than_the_filter_are_no_reason_to_warn",
        ),
        Fault(
            "An ignored filter is not reported",
            find="    if since and since - oldest",
            replace="    if False and since - oldest",
            test=f"{REPORTS}a_filter_that_is_ignored_is_reported",
        ),
    ],
    "Configuration": [
        Fault(
            "Quotation marks stay around a pasted value",
            find="""[\\s\\"'“”‘’]+$", "", str(""",
            replace="""[\\s]+$", "", str(""",
            test=f"{CONFIGURATION}quotation_marks_around_a_value_are_dropped_as_spaces_are",
        ),
        Fault(
            "A placeholder is taken for a setting",
            find='"" if re.fullmatch("<.*>", value, re.DOTALL) else value',
            replace="value",
            test=f"{CONFIGURATION}an_optional_setting_left_unset_has_its_default",
        ),
        Fault(
            "An encrypted key is taken for one",
            find="(?!fivetran_encrypted:)",
            replace="",
            test=f"{CONFIGURATION}a_useless_setting_is_refused_by_name_with_a_remedy",
        ),
        Fault(
            "http may go to any machine",
            find="(https://|http://(?=",
            replace="(https?://|http://(?=",
            test=f"{CONFIGURATION}a_useless_setting_is_refused_by_name_with_a_remedy",
        ),
        Fault(
            "A password in the address goes along",
            find=r"[^\s\\/@?#][^\s\\@?#]*",
            replace=r"[^\s\\/?#][^\s\\?#]*",
            test=f"{CONFIGURATION}a_useless_setting_is_refused_by_name_with_a_remedy",
        ),
        Fault(
            "The filter may be called per_page",
            find="[__PAGE_PARAM, __PER_PAGE_PARAM, *__OTHER_PARAMS]",
            replace="[__PAGE_PARAM, *__OTHER_PARAMS]",
            test=f"{CONFIGURATION}a_useless_setting_is_refused_by_name_with_a_remedy",
        ),
        Fault(
            "Days between full syncs may be any text",
            find='"([1-9][0-9]{0,4})?"',
            replace='".*"',
            test=f"{CONFIGURATION}days_between_full_syncs_are_a_whole_number_from_1",
        ),
        Fault(
            "A refusal shows what was pasted",
            find='fault = "cannot be used" if value',
            replace='fault = f"{value} cannot be used" if value',
            test=f"{CONFIGURATION}a_refusal_shows_no_value",
        ),
        Fault(
            "The address is cut in its host",
            find='f"(?<!/){parent}(/{leaf})?$"',
            replace='f"{parent}(/{leaf})?$"',
            test=f"{CONFIGURATION}requests_go_to_the_host_that_was_given",
        ),
        Fault(
            "/api/users stays in the address",
            find='{**settings, "base_url": url,',
            replace='{**settings, "base_url": settings["base_url"].strip("/"),',
            test=f"{CONFIGURATION}an_address_is_understood_however_it_was_pasted",
        ),
    ],
    "Setup tests": [
        Fault(
            "The setup test does not try the API's own times",
            find="    if answer.refusal and not answer.is_nobody:\n",
            replace="    if False:\n",
            test=f"{SETUP}an_api_that_refuses_its_own_times_fails_with_what_it_said",
        ),
        Fault(
            "A strict filter that finds nobody fails the setup test",
            find="if answer.refusal and not answer.is_nobody:",
            replace="if answer.refusal:",
            test=f"{SETUP}a_strict_filter_that_finds_nobody_is_no_refusal",
        ),
        Fault(
            "The setup test asks for who changed last, whom any filter returns",
            find="if time_of_user[0] < times[-1][0]] or times",
            replace="] and times",
            test=f"{SETUP}the_filter_is_asked_in_the_notation_of_the_api",
        ),
        Fault(
            "A filter in another zone passes the setup test",
            find="if later - answer.people and",
            replace="if False and",
            test=f"{SETUP}a_filter_that_reads_times_in_another_zone_is_reported",
        ),
        Fault(
            "A busy filter is taken for one in another zone",
            find="if later - answer.people and len(answer.users) < len(users):",
            replace="if later - answer.people:",
            test=f"{SETUP}a_busy_filter_is_not_taken_for_one_in_another_zone",
        ),
        Fault(
            "A filter that lets too many through is taken for one that leaves users out",
            find="if later - answer.people and",
            replace="if later ^ answer.people and",
            test=f"{SETUP}a_user_dated_2099_does_not_hide_that_the_filter_works",
        ),
        Fault(
            "A refusal of a future time fails the setup test",
            find="    is_ignored = any(",
            replace='    if ask(to_come).refusal:\n        return "refused"\n    is_ignored = any(',
            test=f"{SETUP}an_api_that_refuses_a_time_to_come_passes",
        ),
        Fault(
            "A filter cannot be tried where no time is readable",
            find='times[-1][1] if times else "2000-01-01T00:00:00Z"',
            replace="times[-1][1]",
            test=f"{SETUP}a_filter_can_be_tried_where_no_time_is_readable",
        ),
        Fault(
            "A filter that the API ignores passes the setup test",
            find="any(at < parse_timestamp(to_come) for",
            replace="any(False for",
            test=f"{SETUP}a_filter_that_the_api_ignores_is_reported_with_the_setting_to_change",
        ),
        Fault(
            "The setup test asks for a future time in one notation",
            find='__CLEARLY_OLDER).date()}{sample[10:]}"',
            replace='__CLEARLY_OLDER).date()}T00:00:00Z"',
            test=f"{SETUP}the_filter_is_asked_in_the_notation_of_the_api",
        ),
        Fault(
            "A setup test raises",
            find="        except Exception as error:\n            problem",
            replace="        except KeyboardInterrupt as error:\n            problem",
            test=f"{SECRETS}a_setup_test_that_breaks_shows_no_key",
        ),
        Fault(
            "The problem of a setup test that broke is reported with its values",
            find='f"The test itself failed ({type(error).__name__})."',
            replace='f"The test itself failed ({error!r})."',
            test=f"{SECRETS}a_setup_test_that_breaks_shows_no_key",
        ),
        Fault(
            "A person waits for minutes",
            find="__SETUP_LIMITS = (2, 10)",
            replace="__SETUP_LIMITS = (8, 10)",
            test=f"{SETUP}an_api_that_is_down_is_asked_twice_not_for_minutes",
        ),
        Fault(
            "A person waits as long as the API asks",
            find="__SETUP_LIMITS = (2, 10)",
            replace="__SETUP_LIMITS = (2, 600)",
            test=f"{SETUP}a_setup_test_does_not_wait_for_minutes_on_the_api_s_word",
        ),
        Fault(
            "Users who were never updated fail the setup test",
            find=' or all(user.get("updated_at", "missing") is None for user in found):',
            replace=":",
            test=f"{SETUP}a_first_page_of_users_never_updated_does_not_stop_a_good_setup",
        ),
        Fault(
            "Users without a key pass the setup test",
            find="    if not found:\n",
            replace="    if False:\n",
            test=f"{SETUP}users_that_carry_their_key_under_another_name_are_reported",
        ),
        Fault(
            "A tenant without users passes the setup test",
            find="    if not users:\n        return",
            replace="    if False:\n        return",
            test=f"{SETUP}a_tenant_without_users_is_reported",
        ),
        Fault(
            "The error of a size that is refused does not name the constant",
            find='"check updated_since_param, and lower __SMALL_PAGE"',
            replace='"check updated_since_param"',
            test=f"{SETUP}an_api_that_refuses_even_small_pages_names_the_constant_to_lower",
        ),
        Fault(
            "The form has no field for full syncs",
            find='    form.add_field(text("full_sync_days", label, description=said, placeholder="7"))\n',
            replace="",
            test=f"{SETUP}the_form_asks_for_what_a_customer_has_to_give",
        ),
        Fault(
            "The form shows the key while it is typed",
            find='"API key", text.password',
            replace='"API key", text.plain_text',
            test=f"{SETUP}only_the_key_is_typed_unseen_and_stored_encrypted",
        ),
    ],
    "Mock mode": [
        Fault(
            "Mock mode is accepted on Fivetran",
            find='if is_mock and os.environ.get("FIVETRAN_DEPLOYMENT_MODEL") != "local_debug":',
            replace="if False:",
            test=f"{SYNC}mock_mode_is_refused_on_fivetran",
        ),
        Fault(
            "Mock mode ignores the filter",
            find='(parse_timestamp(user["updated_at"]) or __NEVER) >= since',
            replace="True",
            test=f"{SYNC}mock_mode_pages_and_is_incremental_without_network_or_key",
        ),
    ],
}
