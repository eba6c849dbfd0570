"""Faults in connector.py, each with the test that must notice it: see tools/run_faults.py.

There is one for each guarantee, and for each row of a rule. A fault names a function, a class or a
constant of connector.py, what to find there, and what to put in its place: see helpers/fault.py.
"""

# flake8: noqa: E501 (the name of a test, or a statement of the connector, is not broken)

from fault import Fault

FAULTS = {
    "Names and recipes": [
        Fault(
            "A name with another sign in it is another name",
            r"fold_name: re.sub(r'[\W_]+', '', name).lower() => name.lower()",
            "first_contact::the_key_is_found_in_any_spelling",
        ),
        Fault(
            "Another spelling takes the place of the exact name",
            "find_spellings: column not in names => True",
            "first_contact::the_exact_name_wins_and_the_other_spelling_is_kept_aside",
        ),
        Fault(
            "A field named like a declared column, or like `other_fields`, becomes a column",
            "is_column_name: fold_name(name) not in taken => True",
            "first_contact::a_field_named_like_a_column_of_the_connector_or_of_fivetran_is_kept_aside",
        ),
        Fault(
            "A field called `_Fivetran_Synced` becomes a column",
            "is_column_name: not is_own => True",
            "first_contact::a_field_named_like_a_column_of_the_connector_or_of_fivetran_is_kept_aside",
        ),
        Fault(
            "An answer without the list does not name its fields",
            "read_users: name_fields(api, body) => 'not named'",
            "first_contact::another_shape_names_what_is_there_but_no_person",
        ),
        Fault(
            "A field that is named by a user's address or number is shown",
            "name_fields: '[A-Za-z_ ]+' => '.+'",
            "first_contact::no_name_that_may_be_a_value_is_reported_and_ten_names_at_most",
        ),
        Fault(
            "Small pages are not reported",
            "log_progress: size < __SMALL_PAGE <= current.asked => False",
            "first_contact::an_api_that_knows_the_page_size_by_another_name_is_reported_once",
        ),
        Fault(
            "A list inside an object is not found",
            "look_up: path.split('.') => [path]",
            "recipes::a_recipe_is_all_that_such_an_api_needs[Read the list of users from another place]",
        ),
        Fault(
            "The first page is number 1 at every API",
            "request_page: number - 1 + __FIRST_PAGE => number",
            "recipes::a_recipe_is_all_that_such_an_api_needs[Count pages from 0]",
        ),
    ],
    "State and failure": [
        Fault(
            "A page is checkpointed with the new cursor",
            "deliver_page: sync.state => {**sync.state, 'last_sync_time': sync.cursor}",
            "interruptions::each_page_is_checkpointed_with_the_state_that_the_sync_began_with",
        ),
        Fault(
            "A page is not checkpointed",
            "deliver_page: op.checkpoint(state=sync.state) => pass",
            "interruptions::what_was_read_before_an_outage_is_kept_and_the_next_sync_begins_at_page_1",
        ),
        Fault(
            "A stored time that cannot be read is ignored",
            "read_state: readable.get(name, parse_timestamp(value)) => readable.get(name, True)",
            "messages::a_damaged_state_names_both_ways_back_and_what_they_cost",
        ),
        Fault(
            "A stored source may be anything",
            "read_state: value in __SOURCES => True",
            "messages::a_damaged_state_names_both_ways_back_and_what_they_cost[source-Users]",
        ),
        Fault(
            "A damaged state does not name both ways back",
            "read_state: __RESTART_ADVICE => 'reset it'",
            "messages::a_damaged_state_names_both_ways_back_and_what_they_cost",
        ),
        Fault(
            "Real users go on from made-up ones",
            "read_state: 'mock' in (source, came_from) => False",
            "messages::made_up_people_never_stand_among_real_ones",
        ),
        Fault(
            "A state without a source may be of mock mode",
            "read_state: earlier.get('source', 'users') => earlier.get('source', source)",
            "messages::made_up_people_never_stand_among_real_ones[made-up users after version 1]",
        ),
        Fault(
            "Other names stay in the state",
            "make_state: sync.earlier => sync.state",
            "interruptions::other_names_in_a_state_are_passed_over",
        ),
        Fault(
            "The times of another source stay",
            "read_state: {'users': earlier['users']} if 'users' in earlier else {} => earlier",
            "report::a_change_of_source_marks_nobody_and_sends_no_filter",
        ),
        Fault(
            "A change of source can mark",
            "start_sync: is_full_read_due(api, earlier) => is_full_read_due(api, state)",
            "report::a_change_of_source_marks_nobody_and_sends_no_filter",
        ),
        Fault(
            "A change of source forgets how many users there were",
            "read_state: {'users': earlier['users']} if 'users' in earlier else {} => {}",
            "report::a_source_with_far_fewer_people_marks_nobody_until_a_re_sync",
        ),
        Fault(
            "A first sync, or a re-sync, that finds nobody is a success",
            "finish_sync: check_anybody(sync, current) => pass",
            "sync::a_sync_from_nothing_that_finds_nobody_fails",
        ),
        Fault(
            "A full sync that finds nobody fails",
            "check_anybody: not is_continued => True",
            "reports::a_full_read_that_finds_nobody_is_reported",
        ),
        Fault(
            "An error does not reach the dashboard",
            "update: op.error(message=str(error)) => pass",
            "requests::what_was_read_before_a_failure_is_kept",
        ),
        Fault(
            "The session is not closed",
            "run_sync: api.session => __import__('contextlib').nullcontext()",
            "requests::connections_are_kept_until_the_sync_ends",
        ),
    ],
    "The sync: which users, and when all": [
        Fault(
            "The filter moves while pages are read",
            "request_ahead: sync.filter => sync.cursor",
            "interruptions::a_sync_that_fails_leaves_the_state_and_the_filter_as_they_were",
        ),
        Fault(
            "A sync that is due sends a filter",
            "start_sync: None if is_due else cursor => cursor",
            "full_sync::a_balance_that_moves_no_date_arrives_with_the_full_sync",
        ),
        Fault(
            "Without the setting each sync reads everybody",
            "is_full_read_due: is_first or not api.full_sync_days => is_first",
            "full_sync::without_the_setting_nobody_is_read_again",
        ),
        Fault(
            "A first sync and a re-sync are due",
            "is_full_read_due: is_first or not api.full_sync_days => not api.full_sync_days",
            "leavers::a_re_sync_marks_nobody",
        ),
        Fault(
            "No sync is due where users have no times",
            "is_full_read_due: 'last_sync_time' not in state and api.source != 'report' => False",
            "leavers::a_source_without_change_dates_is_marked_too",
        ),
        Fault(
            "A sync is not due where no full one is known",
            "is_full_read_due: parse_timestamp(state.get('last_full_sync')) or __NEVER => parse_timestamp(state.get('last_full_sync')) or now()",
            "full_sync::a_state_without_the_date_and_the_setting_given_is_a_full_sync",
        ),
        Fault(
            "A full sync of 2099 puts off all others",
            "is_full_read_due: abs(now() - last) => now() - last",
            "full_sync::a_clock_that_was_wrong_puts_no_full_sync_off_for_years",
        ),
        Fault(
            "The days are counted from the end of a full sync",
            "make_state: sync.started_at => now()",
            "full_sync::the_days_are_counted_from_the_start_of_a_full_sync_not_from_its_end",
        ),
        Fault(
            "A sync that only lost its filter puts off the one that is due",
            "make_state: not sync.filter_refusal => True",
            "leavers::where_the_filter_is_always_refused_a_sync_still_becomes_due_and_marks[of an old version]",
        ),
        Fault(
            "A full sync that was not whole counts as one",
            "make_state: has_read_all and (not is_between) and (not doubt) => has_read_all and (not is_between)",
            "full_sync::a_full_read_that_is_not_whole_is_tried_again_and_does_not_move_the_date",
        ),
    ],
    "The sync: find_doubt()": [
        Fault(
            "A short page that is followed by users is no doubt",
            "has_short_page: any(page.count < size for page in current.pages[:-1]) => False",
            "passes::a_short_page_in_the_middle_may_have_skipped_users",
        ),
        Fault(
            "An empty page that is followed by users is no doubt",
            "has_short_page: page.count < size => 0 < page.count < size",
            "pages::a_gap_is_not_whole_although_as_many_rows_came_as_users_are_known",
        ),
        Fault(
            "An empty page at the end is no doubt, although users followed it",
            "has_short_page: len(current.pages) > 1 and current.pages[-1].count == 0 => False",
            "pages::users_who_were_there_while_the_end_was_looked_for_are_looked_for_again",
        ),
        Fault(
            "A total that fell is no doubt",
            "find_doubt: has_fallen([(page.total, page.count) for page in current.pages]) => False",
            "passes::a_user_deleted_while_pages_are_read_costs_nobody_else",
        ),
        Fault(
            "A total of who remains is one that fell",
            "has_fallen: fall > 0 and fall != came => fall > 0",
            "passes::a_total_of_who_remains_is_no_fall",
        ),
        Fault(
            "Users without end are read without end",
            "fetch_users: not is_endless(sync, current) => True",
            "passes::pages_of_known_users_without_end_are_given_up_and_reported",
        ),
        Fault(
            "A refusal after a full page is the end",
            "is_refusal_doubtful: is_cut_off(sync, current) and (not is_deep) => False",
            "pages::a_sync_of_changes_that_is_cut_off_moves_no_cursor",
        ),
        Fault(
            "A refusal after a page 1 that is as full as a cap is the end",
            "ends_with_full_page: is_usual_cap and is_no_chance => False",
            "pages::a_refusal_after_a_first_page_as_full_as_a_usual_cap_is_no_end",
        ),
        Fault(
            "A page that says that there is more is not full",
            "ends_with_full_page: last.has_more => False",
            "pages::a_refusal_after_a_first_page_as_full_as_a_usual_cap_is_no_end",
        ),
        Fault(
            "A last page that is full and repeats is page 1",
            "Pass: len(self.pages) == 1 and self.end[0].count > 0 => self.end[0].count > 0",
            "pages::a_single_full_page_that_repeats_is_not_taken_for_an_api_that_ignores_page",
        ),
        Fault(
            "An empty page that says there is more is a full one",
            "ends_with_full_page: last.has_more and last.count => last.has_more",
            "pages::an_empty_page_that_says_there_is_more_is_not_a_full_one",
        ),
        Fault(
            "A last page that says there is more, but is not full, is the end",
            "ends_with_full_page: last.has_more and last.count => last.has_more and len(current.pages) == 1",
            "pages::a_refusal_after_a_short_page_that_says_there_is_more_may_be_no_end",
        ),
        Fault(
            "250 changes are a usual cap",
            "ends_with_full_page: sync.filter is None or last.count % __SMALL_PAGE == 0 => True",
            "pages::a_page_of_250_changes_is_not_taken_for_a_cap",
        ),
        Fault(
            "A full read that is cut off never moves the cursor",
            "is_refusal_doubtful: len(current.pages) > 1 and sync.filter is None => False",
            "pages::a_full_read_that_is_cut_off_moves_the_cursor_and_is_not_complete",
        ),
        Fault(
            "A full page 1 that comes again is the end",
            "find_doubt: is_full and current.is_page_ignored => False",
            "pages::an_api_that_ignores_page_and_size_is_reported_where_its_one_page_may_be_a_cap",
        ),
        Fault(
            "An API that ignores `page` is a success",
            "sync_users: current.is_page_ignored and current.count == current.asked => False",
            "pages::an_api_that_ignores_page_and_has_more_users_is_an_error",
        ),
        Fault(
            "A total that says more is no doubt",
            "find_doubt: is_full and is_larger => False",
            "passes::changes_that_end_at_a_full_page_while_the_total_says_more_move_no_cursor",
        ),
        Fault(
            "Only the first of the answers that show the end has a flag",
            "find_doubt: any(page.has_more for page in current.end) => current.end[0].has_more",
            "leavers::empty_answers_of_which_one_says_that_there_is_more_are_not_the_end",
        ),
        Fault(
            "As many places as users are known are no condition",
            "find_doubt: current.places == expected or has_met_the_same(current, previous) => True",
            "passes::a_row_that_moves_to_a_page_already_read_is_found",
        ),
        Fault(
            "Users who were deleted must come once more",
            "count_expected: len(current.met) if has_fallen(sync.pages) else len(sync.known) => len(sync.known)",
            "passes::a_deletion_between_two_passes_does_not_make_up_for_a_hidden_user",
        ),
        Fault(
            "A user with two records on one page takes two places",
            "Page: len({key for key in self.keys if key is not None}) => len([key for key in self.keys if key is not None])",
            "passes::a_user_who_stands_twice_on_one_page_costs_no_second_pass",
        ),
        Fault(
            "Second records hold the cursor back for ever",
            "find_doubt: has_met_the_same(current, previous) => False",
            "passes::rehired_users_who_stand_twice_do_not_hold_the_cursor_back",
        ),
        Fault(
            "Passes with the same borders prove something",
            "has_met_the_same: find_page_size(current) == find_page_size(previous) => False",
            "passes::a_cache_that_answers_an_api_of_one_size_proves_nothing",
        ),
        Fault(
            "A row that stood on two pages is a second record",
            "has_met_the_same: all(number == 1 for number in pages_of_row.values()) => True",
            "passes::a_record_that_comes_twice_unchanged_shows_that_another_never_came",
        ),
        Fault(
            "A few users who come alike twice prove something",
            "has_met_the_same: len(current.met) >= __MIN_USERS_TO_JUDGE => True",
            "passes::a_few_rows_that_come_alike_twice_prove_nothing",
        ),
        Fault(
            "Passes are alike if they met other users twice",
            "has_met_the_same: current.met == previous.met => current.met.keys() == previous.met.keys()",
            "passes::passes_that_hide_the_same_user_and_repeat_different_ones_prove_nothing",
        ),
    ],
    "The sync: its passes": [
        Fault(
            "There is a sixth pass",
            "__MAX_PASSES: 5 => 6",
            "passes::passes_that_are_never_whole_end_and_hold_the_cursor_back",
        ),
        Fault(
            "A second pass delivers everybody again",
            "take_user: key in sync.known and changed_at <= sync.known[key] => False",
            "passes::a_second_pass_delivers_only_what_the_first_did_not",
        ),
        Fault(
            "The pass that asks for all forgets the smallest size",
            "sync_users: min(smallest, find_page_size(current)) => find_page_size(current)",
            "passes::each_pass_has_borders_of_its_own",
        ),
        Fault(
            "No pass asks for all at once",
            "choose_page_size: number == __PASS_ALL_AT_ONCE => False",
            "passes::a_user_whom_pages_of_every_size_hide_is_found_by_asking_for_all_at_once",
        ),
        Fault(
            "The cursor moves after passes that were not whole",
            "make_state: not doubt and (not is_report) and (sync.cursor is not None) => not is_report and sync.cursor is not None",
            "passes::passes_that_are_never_whole_end_and_hold_the_cursor_back",
        ),
        Fault(
            "Nothing warns of passes that were not whole",
            "find_gaps: gaps.append(f'Users may be missing: no pass was whole ({doubt}). {again}') => pass",
            "passes::passes_that_are_never_whole_end_and_hold_the_cursor_back",
        ),
    ],
    "The sync: complete, and who left": [
        Fault(
            "A read that found nobody is complete",
            "find_gaps: not users => False",
            "leavers::after_an_incomplete_read_nobody_is_marked_and_one_warning_says_why",
        ),
        Fault(
            "A read that was cut off is complete",
            "find_gaps: is_cut_off(sync, current) => False",
            "pages::a_full_read_that_is_cut_off_moves_the_cursor_and_is_not_complete",
        ),
        Fault(
            "A read of fewer users than the API's total is complete",
            "find_gaps: current.count < current.total => False",
            "leavers::after_an_incomplete_read_nobody_is_marked_and_one_warning_says_why",
        ),
        Fault(
            "Half of the users of the last complete read are enough",
            "__MIN_SHARE_TO_MARK: 0.8 => 0.5",
            "leavers::after_an_incomplete_read_nobody_is_marked_and_one_warning_says_why",
        ),
        Fault(
            "One of two users who left is never marked",
            "find_gaps: before - 1 => before",
            "leavers::four_fifths_of_the_users_of_the_last_complete_read_are_enough_or_all_but_one",
        ),
        Fault(
            "Who was known from an earlier pass counts as read",
            "find_gaps: len(current.met) => len(sync.known)",
            "leavers::a_key_that_loses_rights_while_users_are_read_marks_nobody",
        ),
        Fault(
            "A read that is not complete counts the users",
            "make_state: sync.filter is None and (not gaps) => sync.filter is None",
            "leavers::after_an_incomplete_read_nobody_is_marked_and_one_warning_says_why",
        ),
        Fault(
            "A sync of changes counts the users",
            "make_state: sync.filter is None and (not gaps) => not gaps",
            "leavers::who_came_back_is_live_again_after_the_next_sync_of_changes",
        ),
        Fault(
            "A read that is not complete marks",
            "finish_sync: list(gaps) => []",
            "leavers::after_an_incomplete_read_nobody_is_marked_and_one_warning_says_why",
        ),
        Fault(
            "A read marks although none had counted the users",
            "finish_sync: obstacles = ['no complete read had counted the users before; the next one can mark'] => sync.earlier['users'] = 0",
            "leavers::a_state_of_an_older_version_has_no_number_to_compare_with_and_marks_nobody",
        ),
        Fault(
            "A sync that is not due marks",
            "finish_sync: sync.is_due and (not obstacles) => not obstacles",
            "leavers::a_sync_of_changes_marks_nobody",
        ),
        Fault(
            "A sync that is not due warns that nobody was marked",
            "finish_sync: sync.is_due and obstacles => obstacles",
            "leavers::a_re_sync_marks_nobody",
        ),
        Fault(
            "Who left is not marked",
            "mark_leavers: op.truncate(table=__TABLE) => pass",
            "leavers::who_left_is_marked_and_the_others_live",
        ),
        Fault(
            "The marks and the second delivery are two transactions",
            "mark_leavers: op.truncate(table=__TABLE) => op.truncate(table=__TABLE); op.checkpoint(state=sync.state)",
            "leavers::a_kill_while_users_are_marked_marks_nobody_who_lives",
        ),
        Fault(
            "The second delivery changes values",
            "deliver_page: datetime.isoformat => lambda at: at.date().isoformat()",
            "leavers::values_and_types_are_the_same_after_the_second_delivery",
        ),
        Fault(
            "The log does not say how many users are compared",
            'mark_leavers: log.info(f"Marking who left: {before} at the last complete read, {len(sync.known)} now") => pass',
            "leavers::who_left_is_marked_and_the_others_live",
        ),
    ],
    "The cursor": [
        Fault(
            "A change that was committed late is not found",
            "__CURSOR_MARGIN: timedelta(hours=1) => timedelta(0)",
            "cursor::a_change_that_was_committed_late_is_found_by_the_next_sync",
        ),
        Fault(
            "A time without a zone is taken for one in UTC",
            "__CURSOR_MARGIN_WITHOUT_ZONE: 39 => 1",
            "cursor::local_times_without_a_zone_hide_no_change",
        ),
        Fault(
            "A row dated 2099 becomes the cursor",
            "move_cursor: sync.api.answered_at - updated_at >= margin => True",
            "cursor::a_row_dated_2099_does_not_freeze_the_cursor",
        ),
        Fault(
            "The later of two clocks counts",
            "send_request: min(now(), read_date(response, 'Date') or now()) => max(now(), read_date(response, 'Date') or now())",
            "cursor::the_earlier_clock_decides_where_one_is_wrong",
        ),
        Fault(
            "The last answer dates a sync",
            "send_request: api.answered_at is None => True",
            "cursor::the_first_answer_dates_a_sync_not_the_last_one",
        ),
        Fault(
            "The cursor is not the API's own text",
            "move_cursor: sync.cursor = text => sync.cursor = updated_at.isoformat()",
            "cursor::the_cursor_is_the_apis_own_text",
        ),
        Fault(
            "The cursor goes back",
            "move_cursor: sync.cursor_at is None or updated_at > sync.cursor_at => True",
            "cursor::the_cursor_does_not_go_back_where_only_older_users_come",
        ),
        Fault(
            "The greatest text is the newest time",
            "move_cursor: sync.cursor_at is None or updated_at > sync.cursor_at => sync.cursor is None or text > sync.cursor",
            "cursor::the_newest_is_the_latest_instant_not_the_greatest_text",
        ),
    ],
    "Pages: one reader, sizes and attempts": [
        Fault(
            "The next page is asked for when the destination has taken this one",
            "request_ahead: Thread(target=run, name='awardco-request', daemon=True).start() => ahead.result = lambda: (run(), Future.result(ahead))[1]",
            "pages::while_the_destination_takes_a_page_the_next_one_is_on_its_way",
        ),
        Fault(
            "Two pages are on their way",
            "request_ahead: Thread(target=run, name='awardco-request', daemon=True).start() => Thread(target=run, daemon=True).start(); Thread(target=request_page, args=(sync.api, number + 1, find_page_size(current), sync.filter), daemon=True).start()",
            "pages::a_page_is_asked_for_only_when_the_one_before_it_has_been_answered",
        ),
        Fault(
            "Page 1 of a large size is tried eight times",
            "__LARGE_PAGE_ATTEMPTS: 2 => 8",
            "pages::page_1_of_a_large_size_is_tried_twice_only",
        ),
        Fault(
            "Large pages that fail end the sync",
            "read_pass: is_last_try or was_small or error.problem not in __BEGIN_AGAIN => True",
            "pages::large_pages_that_fail_are_given_up_for_small_ones",
        ),
        Fault(
            "A page that is refused in between is not asked for in a smaller size",
            "__BEGIN_AGAIN: 'lost page' => 'page lost'",
            "pages::large_pages_that_fail_are_given_up_for_small_ones[400-2]",
        ),
        Fault(
            "Pages of 100 that fail are read again in pages of 100",
            "read_pass: bool(current.pages) and current.pages[0].count <= __SMALL_PAGE => False",
            "messages::whatever_the_api_answers_the_last_message_says_what_to_do",
        ),
        Fault(
            "Smaller pages are tried where no connection can be made",
            "__CURED_BY_SMALLER_PAGES: 'connection' => 'no connection'",
            "messages::where_no_connection_can_be_made_page_1_gets_all_attempts_once",
        ),
        Fault(
            "A rate limit sends a sync into small pages",
            "__CURED_BY_SMALLER_PAGES: 'web page' => 'rate limit'",
            "pages::a_rate_limit_does_not_send_a_sync_into_small_pages",
        ),
        Fault(
            "Pages are counted by another size than page 1 had",
            "find_page_size: came if came >= __SMALLEST_CAP and is_cap else current.asked => current.asked",
            "pages::the_number_that_page_1_brings_is_asked_for_from_then_on",
        ),
        Fault(
            "A page 1 of one user is a cap",
            "find_page_size: came >= __SMALLEST_CAP => came",
            "pages::a_window_that_grows_while_it_is_read_is_not_read_in_pages_of_one",
        ),
        Fault(
            "A page 1 of 97 users is a cap",
            "find_page_size: came >= __SMALLEST_CAP and is_cap => came >= __SMALLEST_CAP",
            "pages::a_page_that_lacks_a_few_users_is_not_taken_for_a_cap",
        ),
    ],
    "Pages: the end": [
        Fault(
            "Page 1 again is news",
            "is_news: page.fingerprints not in (current.pages[0].fingerprints, current.pages[-1].fingerprints) => page.fingerprints != current.pages[-1].fingerprints",
            "pages::an_api_that_goes_around_shares_no_identifier",
        ),
        Fault(
            "The page before again is news",
            "is_news: page.fingerprints not in (current.pages[0].fingerprints, current.pages[-1].fingerprints) => page.fingerprints != current.pages[0].fingerprints",
            "pages::a_guest_with_a_link_that_is_signed_anew_does_not_make_pages_endless",
        ),
        Fault(
            "A page in another order is news",
            "Page: frozenset(map(fingerprint, self.users)) => tuple(map(fingerprint, self.users))",
            "pages::a_last_page_that_comes_in_another_order_each_time_is_the_end",
        ),
        Fault(
            "Pages of guests without any declared field are the same page",
            "fingerprint: values if any(values) else str(user) => values",
            "pages::pages_of_guests_without_any_declared_field_are_not_the_same_page",
        ),
        Fault(
            "A link that is signed anew is news",
            "fingerprint: values if any(values) else str(user) => str(user)",
            "pages::a_guest_with_a_link_that_is_signed_anew_does_not_make_pages_endless",
        ),
        Fault(
            "This page again is not looked at",
            "look_beyond: is_news(current, again) => False",
            "pages::a_page_that_has_users_when_it_is_asked_again_costs_no_second_pass",
        ),
        Fault(
            "The next page is not looked at",
            "look_beyond: not is_news(current, following) => True",
            "pages::a_gap_is_not_whole_although_as_many_rows_came_as_users_are_known",
        ),
        Fault(
            "A page that is refused in between is a gap",
            "look_beyond: if page.refusal: raise SyncError(page.refusal, 'lost page') => pass",
            "pages::one_page_refused_while_its_neighbours_answer_is_an_error",
        ),
        Fault(
            "A route that is gone for seconds is the end",
            "ask_around: page.refusal and ask(1, current.asked).refusal => False",
            "pages::a_route_that_is_gone_for_some_seconds_is_not_the_end",
        ),
        Fault(
            "An idle sync costs four requests",
            "look_beyond: is_small_window and is_empty => False",
            "pages::a_window_of_fewer_users_than_any_cap_costs_two_requests",
        ),
        Fault(
            "A refusal after a few users is the end",
            "look_beyond: page.count == 0 and (not page.refusal) => page.count == 0",
            "pages::a_refusal_is_looked_into_even_where_page_1_brought_a_few_users",
        ),
    ],
    "Pages: the filter refused": [
        Fault(
            "A filter that is refused ends the sync",
            "read_window: error.problem != 'page 1' or sync.filter is None => True",
            "pages::a_filter_that_the_api_refuses_means_everybody_is_read_and_reported",
        ),
        Fault(
            "A fault of the server at the filter ends the sync",
            "__PAGE_1_REFUSALS: (*__REFUSALS, *__CURED_BY_SMALLER_PAGES) => __REFUSALS",
            "pages::a_filter_that_the_api_refuses_means_everybody_is_read_and_reported[by a fault of the server]",
        ),
        Fault(
            "An outage of page 1 is a refusal of the filter",
            "read_window: not with_filter.refusal => False",
            "pages::an_outage_of_page_1_is_no_refusal_of_the_filter",
        ),
        Fault(
            "An API that gives no users has nobody new",
            "read_window: raise SyncError(failure) => pass",
            "pages::an_api_that_never_answers_with_users_is_an_error_with_a_filter_too",
        ),
        Fault(
            "A 204 is a refusal of the filter",
            "read_window: with_filter.is_nobody => False",
            "pages::a_sync_that_finds_nobody_ends_well_however_the_api_says_so",
        ),
        Fault(
            "A filter that is refused is not reported",
            "read_window: sync.filter_refusal = refusal => pass",
            "reports::a_filter_that_is_refused_is_reported_with_what_the_api_said",
        ),
        Fault(
            "The log does not say that it asks without the filter",
            "read_window: log.info(f'Asking for page 1 without the filter, which may be refused: {refusal}') => pass",
            "reports::a_filter_that_is_refused_is_reported_with_what_the_api_said",
        ),
    ],
    "The Users report: order, status and key": [
        Fault(
            "The options are not ordered",
            "order_report: {**order, 'paginate': True, **__REPORT_OPTIONS} => {**order, 'paginate': True}",
            "report::the_options_choose_columns_and_names_that_compare_equal_keep_their_values",
        ),
        Fault(
            "A failure in a 200 is a task",
            "read_object: tells_error(others, users=[]) => False",
            "report::what_cannot_be_right_ends_the_sync_and_marks_and_shows_nobody[a failure with a task]",
        ),
        Fault(
            "The status is asked for each second",
            "wait_for_report: next(pauses, __REPORT_PAUSES_SECONDS[-1]) => 1",
            "report::the_status_is_asked_for_less_and_less_often_whatever_its_word",
        ),
        Fault(
            "A word that is not known ends the wait",
            "wait_for_report: status == 'error' => status not in ('in progress', 'completed')",
            "report::the_status_is_asked_for_less_and_less_often_whatever_its_word",
        ),
        Fault(
            "A report is waited for beyond an hour",
            "__REPORT_TIMEOUT_SECONDS: 3600 => 7200",
            "report::a_report_that_is_not_ready_in_an_hour_by_the_clock_is_given_up",
        ),
        Fault(
            "A report that failed is waited for",
            "wait_for_report: status == 'error' => False",
            "report::what_cannot_be_right_ends_the_sync_and_marks_and_shows_nobody",
        ),
        Fault(
            "A report has any number of pages",
            "wait_for_report: type(last) is not int or last < 1 => False",
            "report::what_cannot_be_right_ends_the_sync_and_marks_and_shows_nobody",
        ),
        Fault(
            "The other setup tests ask for users where the source is the report",
            "filter_test: api.source == 'report' => False",
            "report::the_setup_test_orders_one_report_and_does_not_wait_for_it",
        ),
        Fault(
            "The advice of a report is that of the users",
            "advise: {**__ADVICE, **__REPORT_ADVICE} if api.source == 'report' else __ADVICE => __ADVICE",
            "report::a_tenant_without_one_method_is_told_of_the_other_unless_it_is_set",
        ),
        Fault(
            "A report without an address is at base_url",
            "check_address: not 0 < len(address) <= 2000 => False",
            "report::what_cannot_be_right_ends_the_sync_and_marks_and_shows_nobody",
        ),
        Fault(
            "The key goes to any host",
            "check_address: origin not in (find_origin(api.base_url), *trusted) => False",
            "report::the_key_goes_to_no_other_host_scheme_or_port",
        ),
        Fault(
            "User information in an address goes along",
            "check_address: '@' in urlsplit(url).netloc => False",
            "report::the_key_goes_to_no_other_host_scheme_or_port",
        ),
        Fault(
            "Another scheme or port is the same host",
            "find_origin: f'{parts.scheme}://{parts.hostname}:{port}' => str(parts.hostname)",
            "report::the_key_goes_to_no_other_host_scheme_or_port",
        ),
        Fault(
            "Hosts that are trusted are not",
            "check_address: (find_origin(api.base_url), *trusted) => (find_origin(api.base_url),)",
            "report::further_hosts_may_be_named_in_a_constant",
        ),
        Fault(
            "The key is shown in the address of another host",
            "check_address: quote_text(api, origin) => origin",
            "report::what_cannot_be_right_ends_the_sync_and_marks_and_shows_nobody[key in an address]",
        ),
    ],
    "The Users report: its pages": [
        Fault(
            "A page without users is one",
            "read_report: not page.count => False",
            "report::what_cannot_be_right_ends_the_sync_and_marks_and_shows_nobody[page 2: empty]",
        ),
        Fault(
            "A page may be the one before",
            "read_report: current.pages and page.fingerprints == current.pages[-1].fingerprints => False",
            "report::what_cannot_be_right_ends_the_sync_and_marks_and_shows_nobody[page 2: the page before]",
        ),
        Fault(
            "A person on two pages is no doubt",
            "run_sync: find_doubt(sync, current, None) => ''",
            "report::a_person_on_two_pages_shows_that_the_pages_are_of_different_moments",
        ),
        Fault(
            "A report whose pages get shorter is whole",
            "read_report: current.asked = current.pages[0].count => pass",
            "report::a_page_that_is_shorter_than_page_1_may_have_been_cut[12]",
        ),
        Fault(
            "A report that is not due puts off the one that is",
            "make_state: is_report and (not sync.is_due) and ('last_full_sync' in state) => False",
            "report::a_report_that_is_not_due_marks_nobody_and_leaves_the_state_as_it_was",
        ),
        Fault(
            "CSV is not strict",
            "read_csv: True => False",
            "report::what_cannot_be_right_ends_the_sync_and_marks_and_shows_nobody",
        ),
        Fault(
            "A line may have any number of cells",
            "read_csv: len(line) != len(names) => False",
            "report::what_cannot_be_right_ends_the_sync_and_marks_and_shows_nobody",
        ),
        Fault(
            "A column may come twice",
            "name_columns: times[column] > 1 => False",
            "report::what_cannot_be_right_ends_the_sync_and_marks_and_shows_nobody",
        ),
        Fault(
            "Nobody has a key where no column is one",
            "name_columns: __KEY not in names => False",
            "report::what_cannot_be_right_ends_the_sync_and_marks_and_shows_nobody[no key]",
        ),
        Fault(
            "An empty cell is an empty text",
            "read_cells: cell or None => cell",
            "report::empty_cells_are_null_and_empty_lines_nobody",
        ),
        Fault(
            "Columns that compare equal share one",
            "read_csv: times[fold_name(name)] > 1 => False",
            "report::the_options_choose_columns_and_names_that_compare_equal_keep_their_values",
        ),
        Fault(
            "`T` in a text of the report is true",
            "schema: {**__COLUMNS, **__REPORT_COLUMNS} if is_report else __COLUMNS => __COLUMNS",
            "report::every_column_that_awardco_names_lands_as_it_was_sent",
        ),
        Fault(
            "The notation of the report is unreadable",
            "read_cells: user['created_at'] = created_at.isoformat() => pass",
            "report::every_column_that_awardco_names_lands_as_it_was_sent",
        ),
    ],
    "Requests: what is tried again": [
        Fault(
            "A redirect is followed",
            "send_request: False => True",
            "requests::a_redirect_is_not_followed_and_its_host_is_named",
        ),
        Fault(
            "The host of a redirect is quoted at length, with the key",
            "describe_status: quote_text(api, target.hostname or 'no host') => target.hostname or 'no host'",
            "requests::a_host_and_names_of_fields_are_quoted_in_200_characters_without_the_key",
        ),
        Fault(
            "A cookie is sent back",
            "open_api: session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[])) => pass",
            "requests::no_cookie_is_sent_back",
        ),
        Fault(
            "The password of ~/.netrc goes along",
            "open_api: session.auth = lambda request: request => pass",
            "requests::no_password_of_the_home_folder_goes_along",
        ),
        Fault(
            "http to this machine goes through a proxy",
            "open_api: session.trust_env = False => pass",
            "requests::http_to_this_machine_goes_past_every_proxy",
        ),
        Fault(
            "A 304 is no outage",
            "__RETRIED_STATUSES: 304 => 305",
            "requests::a_passing_fault_is_got_over_and_reported[304]",
        ),
        Fault(
            "A 429 without a Retry-After fails at once",
            "describe_status: status == 429 => False",
            "pages::a_rate_limit_does_not_send_a_sync_into_small_pages",
        ),
        Fault(
            "A status with a Retry-After fails at once",
            "describe_status: 'Retry-After' in response.headers => False",
            "requests::any_status_with_a_retry_after_is_waited_for",
        ),
        Fault(
            "A 202 without users is nobody",
            "read_users: status == 202 => False",
            "requests::a_202_without_users_is_asked_again",
        ),
        Fault(
            "A wait has no limit",
            "make_request_with_retry: min(backoff, __MAX_BACKOFF_SECONDS) => backoff",
            "requests::waits_double_up_to_a_minute",
        ),
        Fault(
            "A Retry-After is not obeyed",
            "make_request_with_retry: max(min(backoff, __MAX_BACKOFF_SECONDS), failure.retry_after) => min(backoff, __MAX_BACKOFF_SECONDS)",
            "requests::the_api_says_how_long_to_wait",
        ),
        Fault(
            "A Retry-After of hours is slept through",
            "make_request_with_retry: failure.retry_after > api.max_retry_after_seconds => False",
            "requests::hours_of_waiting_are_not_slept_but_reported",
        ),
        Fault(
            "A wait that is over is told",
            "read_retry_after: max((date - server_date).total_seconds(), 0.0) => (date - server_date).total_seconds()",
            "requests::nonsense_for_a_wait_means_the_ordinary_one",
        ),
        Fault(
            "A date in Retry-After is read by this machine's clock",
            "read_retry_after: read_date(response, 'Date') or now() => now()",
            "requests::a_date_to_wait_for_is_read_by_the_clock_of_the_server",
        ),
    ],
    "Requests: what fails at once": [
        Fault(
            "A key that is refused is tried again",
            "describe_status: SyncError(said, 'firewall' if is_web_page else status) => SyncError(said, 'outage')",
            "requests::a_refusal_fails_at_once",
        ),
        Fault(
            "A refusal past the last page is always an error",
            "request_page: error.problem not in refusals => True",
            "pages::a_first_sync_ends_however_the_api_says_so",
        ),
        Fault(
            "A refusal on a later page blames the settings",
            "advise: not is_first and problem not in __ALWAYS_ADVISED => False",
            "requests::a_refusal_later_in_a_sync_does_not_send_people_to_settings_that_work",
        ),
        Fault(
            "A 404 does not say that the tenant may lack the method",
            "__ADVICE: '; or set source to report, if your tenant lacks it' => ''",
            "messages::whatever_the_api_answers_the_last_message_says_what_to_do",
        ),
        Fault(
            "A web page with 403 is a key without a permission",
            "describe_status: status == 403 and response.content.lstrip()[:1] == b'<' => False",
            "messages::whatever_the_api_answers_the_last_message_says_what_to_do",
        ),
        Fault(
            "A certificate that does not verify is tried again",
            "describe_connection_failure: isinstance(error, ssl.SSLCertVerificationError) => False",
            "requests::a_certificate_that_does_not_verify_fails_at_once_and_is_named",
        ),
        Fault(
            "An address that no request can go to is a bug of the connector",
            "send_request: (OSError, ValueError) => KeyError",
            "requests::an_address_that_no_request_can_go_to_is_an_error_that_helps",
        ),
    ],
    "Answers: errors, quotations, JSON, totals": [
        Fault(
            "An error in a 200 is an answer",
            "read_users: tells_error(body, users) => False",
            "pages::an_error_in_a_200_is_never_the_end",
        ),
        Fault(
            "`success`, `ok` or `isSuccess` false is no error",
            "__FAILURES: 'success ok issuccess' => 'successful'",
            "requests::an_error_inside_a_200_is_tried_again_and_then_an_error",
        ),
        Fault(
            "`status`, `statusCode` or `code` 500 is no error",
            r"__FAILURES: r'[4-9]\d\d|' => ''",
            "requests::an_error_inside_a_200_is_tried_again_and_then_an_error",
        ),
        Fault(
            "Something in a field for errors is no error",
            "__FAILURES: __ERROR => 'never'",
            "requests::an_error_inside_a_200_is_tried_again_and_then_an_error",
        ),
        Fault(
            "An error that comes without `success` or users is nobody",
            "tells_error: failures['message detail'] = __ERROR => pass",
            "requests::an_error_inside_a_200_is_tried_again_and_then_an_error",
        ),
        Fault(
            "A message beside users is an error",
            "tells_error: users is None and (not look_up(body, 'success')) => not look_up(body, 'success')",
            "requests::a_field_that_tells_of_success_is_no_error",
        ),
        Fault(
            "A message of success without users is an error",
            "tells_error: users is None and (not look_up(body, 'success')) => users is None",
            "requests::a_refusal_fails_at_once",
        ),
        Fault(
            "A field for errors is one, whatever it holds",
            r"__ERROR: r'(?!(0|200|false|none|null|ok|success|\[\])$).+' => '.+'",
            "requests::a_field_for_errors_that_holds_none_is_no_error",
        ),
        Fault(
            "The title of a person in a 200 is quoted",
            "quote_error: __REASONS if response.status_code < 400 else f'{__REASONS} {__REASONS_OF_A_STATUS}' => f'{__REASONS} {__REASONS_OF_A_STATUS}'",
            "requests::nothing_else_of_an_error_is_quoted",
        ),
        Fault(
            "A key that the API echoes is shown",
            "quote_text: re.sub(echoed, '****', text, flags=re.IGNORECASE) => text",
            "secrets::a_key_that_the_api_echoes_is_not_shown",
        ),
        Fault(
            "An error of the API is cut before the key in it is masked",
            "quote_error: find_message(said, names) => find_message(said, names)[:200]",
            "secrets::a_key_that_the_api_echoes_is_not_shown[where the text is cut]",
        ),
        Fault(
            "A key is masked only with the words around it",
            "quote_text: api.key => str(api.session.headers[next(iter(__KEY_HEADER))])",
            "secrets::a_key_is_masked_where_the_api_echoes_it_without_what_stands_around_it",
        ),
        Fault(
            "A failure keeps the frames that hold the key and users",
            "update: raise type(error)(str(error)) from None => raise",
            "secrets::no_frame_of_an_error_holds_the_key_or_a_user",
        ),
        Fault(
            "An unforeseen error of this file is quoted",
            "describe_unforeseen: '' if places[-1].filename == __file__ else f': {error}' => f': {error}'",
            "secrets::an_error_of_the_connector_itself_names_its_line_and_shows_nobody",
        ),
        Fault(
            "A byte that is no UTF-8 is lost",
            "read_windows_1252: 'cp1252' => 'ascii'",
            "requests::a_body_is_read_as_apis_write_it",
        ),
        Fault(
            "The charset that the header names is not used",
            "decode: named[1] if named else 'utf-8' => 'utf-8'",
            "report::names_arrive_whatever_the_page_calls_itself",
        ),
        Fault(
            "Half an emoji fails the sync",
            r"parse_json: b'\\ud' in response.content.lower() => False",
            "rows::half_an_emoji_is_replaced_wherever_it_stands",
        ),
        Fault(
            "An integer beyond 64 bits is a float of 32",
            "load_json: int(text) if len(text) < 20 and abs(int(text)) < 2**63 else text => int(text)",
            "rows::undeclared_values_are_exact",
        ),
        Fault(
            "A number that no double can hold is infinite",
            "load_json: float(text) if math.isfinite(float(text)) else text => float(text)",
            "rows::numbers_that_no_double_can_hold_are_kept_aside_or_null",
        ),
        Fault(
            "A total in an object of an object is not found",
            "find_envelopes: found += list_values([place], __ENVELOPES) => pass",
            "passes::a_total_is_found_where_apis_write_it_and_nowhere_else",
        ),
        Fault(
            "A total in a header is not found",
            "read_users: response.headers.get('X-Total-Count') => None",
            "passes::a_total_is_found_where_apis_write_it_and_nowhere_else",
        ),
        Fault(
            "A total of anything is one of users",
            "read_users: list_values(places, __TOTALS) => list_values([*places, *body.values()], __TOTALS)",
            "passes::a_total_is_found_where_apis_write_it_and_nowhere_else",
        ),
        Fault(
            "A total that is no larger than its page counts everybody",
            "find_total: total > on_page => True",
            "passes::a_total_that_is_no_larger_than_its_page_counts_that_page",
        ),
    ],
    "Rows": [
        Fault(
            "A boolean is an identifier",
            "identify: type(value) in (int, float) => isinstance(value, (int, float))",
            "rows::users_without_an_identifier_are_skipped_counted_and_reported_once",
        ),
        Fault(
            "1001.0 is not 1001",
            "identify: value if value % 1 else int(value) => value",
            "rows::an_identifier_with_a_point_one_day_is_the_same_user",
        ),
        Fault(
            "A sign that nobody sees makes another person",
            "identify: unicodedata.category(sign) not in ('Cc', 'Cf') => True",
            "rows::what_nobody_sees_in_an_identifier_makes_no_second_person",
        ),
        Fault(
            "What cannot be read is nowhere",
            "read_row: {**row, __OTHER_FIELDS: others} if others else row => row",
            "rows::what_cannot_be_read_is_null_counted_and_kept_as_it_came",
        ),
        Fault(
            "An object in a text column is stored in Python's notation",
            "read_declared: None if isinstance(value, (dict, list)) else json.dumps(value) => str(value)",
            "rows::an_object_where_a_text_belongs_is_null_counted_and_kept",
        ),
        Fault(
            "A float is stored with 32 bits",
            "encode_undeclared: isinstance(value, float) => False",
            "rows::undeclared_values_are_exact",
        ),
        Fault(
            "A time without seconds fails the sync",
            r"encode_undeclared: re.sub(minute_and_zone, r'\1:00\2', value) => value",
            "rows::a_time_without_seconds_is_the_time_it_means",
        ),
        Fault(
            "Fields with names in other scripts share one column",
            "is_column_name: name.isascii() => True",
            "rows::fields_whose_names_can_be_no_column_are_kept_aside",
        ),
        Fault(
            "A first page without identifiers is skipped like any other",
            "check_shape: page.count >= __MIN_USERS_TO_JUDGE and (not page.places) => False",
            "rows::a_first_page_without_any_identifier_is_an_error_before_anything_is_stored",
        ),
    ],
    "Reports, configuration, setup form, mock mode": [
        Fault(
            "Users without a time are older than the filter",
            "is_filter_ignored: at > __NEVER and since - at > __CLEARLY_OLDER => since - at > __CLEARLY_OLDER",
            "reports::a_source_without_any_change_date_is_reported",
        ),
        Fault(
            "Warnings do not reach the dashboard",
            "finish_sync: op.warning(f'{warning}.') => pass",
            "reports::users_who_share_an_identifier_are_counted",
        ),
        Fault(
            "The most important warnings come last",
            "finish_sync: (*reasons, *find_warnings(sync, current, doubt)) => (*find_warnings(sync, current, doubt), *reasons)",
            "reports::the_most_important_warnings_come_first_and_fivetran_shows_all",
        ),
        Fault(
            "Only pairs are counted, not people",
            "find_warnings: sum(shared) => len(shared)",
            "reports::a_placeholder_for_a_missing_identifier_is_counted",
        ),
        Fault(
            "A filter is ignored where a few users are older",
            "is_filter_ignored: 2 * len(older) >= len(sync.known) => True",
            "reports::a_filter_is_called_unknown_if_half_of_who_came_are_two_days_older_than_it",
        ),
        Fault(
            "http may go to any machine",
            "__THIS_MACHINE: '(localhost|' => '(.*|'",
            "configuration::a_useless_setting_is_refused_by_name_with_a_remedy",
        ),
        Fault(
            "A password in the address goes along",
            "__FAULTS: '.*[@?#' => '.*[?#'",
            "configuration::a_useless_setting_is_refused_by_name_with_a_remedy",
        ),
        Fault(
            "A setting that nothing reads is not told",
            "warn_of_unknown_settings: name not in known => False",
            "configuration::a_setting_that_nothing_reads_is_named_unless_its_name_may_be_a_secret",
        ),
        Fault(
            "/api/users stays in the address",
            "validate_configuration: {**settings, 'base_url': url, 'source': source, 'updated_since_param': param} => {**settings, 'source': source, 'updated_since_param': param}",
            "configuration::an_address_is_understood_however_it_was_pasted",
        ),
        Fault(
            "The setup test does not try the API's own times",
            "filter_test: answer.refusal and not answer.is_nobody => False",
            "setup_form::an_api_that_refuses_its_own_times_fails_with_what_it_said",
        ),
        Fault(
            "A filter that the API ignores passes the setup test",
            "filter_test: at < parse_timestamp(to_come) => False",
            "setup_form::a_filter_that_the_api_ignores_is_reported_with_the_setting_to_change",
        ),
        Fault(
            "Mock mode is accepted on Fivetran",
            "validate_configuration: os.environ.get('FIVETRAN_DEPLOYMENT_MODEL') != 'local_debug' => False",
            "configuration::made_up_people_never_reach_a_warehouse",
        ),
        Fault(
            "Nobody leaves in mock mode",
            "answer_mock: data['leavers'] if have_left else [] => []",
            "leavers::mock_mode_shows_a_mark_in_its_first_sync_that_is_due",
        ),
    ],
}
