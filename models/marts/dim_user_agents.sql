-- On Redshift every node holds a copy: the table is small.
{{ config(dist='all', sort='user_agent') }}

with

user_agents as (

    select * from {{ ref('int_user_agents') }}

),

patterns as (

    select * from {{ ref('user_agent_patterns') }}

),

-- The version is what follows the token, without blanks in between.
matches as (

    select
        user_agents.user_agent,
        patterns.attribute,
        patterns.value,
        case
            when strpos(user_agents.user_agent, patterns.version_token) > 0
                then trim(both ' ' from split_part(
                    user_agents.user_agent, patterns.version_token, 2
                ))
        end as version_and_rest,
        row_number() over (
            partition by user_agents.user_agent, patterns.attribute
            order by patterns.pattern_rank
        ) as match_rank

    from user_agents

    inner join patterns
        on strpos(user_agents.user_agent, patterns.pattern) > 0

),

-- A version ends at a blank, a semicolon or a bracket.
attributes as (

    select
        user_agent,
        max(case when attribute = 'browser' then value end) as browser,
        max(
            nullif(
                split_part(
                    split_part(
                        split_part(version_and_rest, ' ', 1), ';', 1
                    ), ')', 1
                ), ''
            )
        ) as browser_version,
        max(
            case when attribute = 'operating_system' then value end
        ) as operating_system,
        max(case when attribute = 'device_class' then value end) as device_class

    from matches

    where match_rank = 1

    group by user_agent

),

final as (

    select
        user_agents.user_agent,
        attributes.browser,
        attributes.browser_version,
        attributes.operating_system,
        attributes.device_class,
        attributes.browser is not null
        and attributes.operating_system is not null
        and attributes.device_class is not null as is_recognized

    from user_agents

    left join attributes on user_agents.user_agent = attributes.user_agent

)

select * from final
